package main

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// maxBody bounds what one request may send, in bytes.
const maxBody = 64 << 20

type digests struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	SHA512 string `json:"sha512"`
}

func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("/digests", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": "POST the bytes to digest"})
			return
		}
		result, err := digest(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			writeJSON(w, http.StatusRequestEntityTooLarge, map[string]string{"error": "too large"})
		case err != nil:
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": "the body ended early"})
		default:
			writeJSON(w, http.StatusOK, result)
		}
	})
	return mux
}

// digest reads r once and feeds every hash from it.
func digest(r io.Reader) (digests, error) {
	small, large := sha256.New(), sha512.New()
	size, err := io.Copy(io.MultiWriter(small, large), r)
	return digests{size, hex.EncodeToString(small.Sum(nil)), hex.EncodeToString(large.Sum(nil))}, err
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
