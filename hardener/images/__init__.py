"""Images: where they lie, what they say of themselves, and their layers as folders.

`find` makes an `image` of a name. Its blobs come from a source, which is believed in nothing: `image` and `blobs` hold all of it against
digests and sizes.

    sources      layout (a folder), archive (a file, a pipe), rootfs (a folder without an image), remote (a registry),
                 engine_source and engine_hosts (a Docker engine), store
    a layer      blobs (decompressed, digested), tar (its entries), limits (how much is believed), notes (what is odd)
    a scan       scan (one pass over all layers), sharing (layers side by side), merge and paths (layers over one another),
                 view (what comes of it), kept (small files)
    a registry   registry (what it is asked), endpoint (one host of it), sessions (connections), body (a blob as it arrives),
                 hosts (where we may go), challenge and credentials (who we are), retrying, failures (how we say it)
    the store    store (read), storing (written); pull, receiving, progress; loading, writing (archives), listing
    for a run    platforms (which image of several), unpack (layers as folders)
    what is in   packages (installed), sbom (told to others), advisories (what is known against it), spdx (licences)
    whose it is  signatures
"""
