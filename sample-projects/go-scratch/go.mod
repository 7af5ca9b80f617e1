module example.org/digests

go 1.19
