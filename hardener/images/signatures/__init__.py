"""Signatures of images: those that cosign leaves beside them, checked with public keys that the user names.

    shelf.py     where signatures lie: a registry, a layout        -> descriptors and bytes
    attached.py  what is attached to a digest, in either format     -> Attached: signed bytes, signature, how it was found
    claims.py    what the signed bytes say, once they are believed  -> Claim: digests, repository
    keys.py      public keys; the only importer of cryptography
    verify.py    all of it, in this order                           -> Verification

Not looked at: certificates (a signature without a key needs an identity, and roots of trust), transparency logs, timestamps.
Sources: github.com/sigstore/cosign, specs/SIGNATURE_SPEC.md and pkg/oci/remote; github.com/sigstore/protobuf-specs, sigstore_bundle.proto;
github.com/secure-systems-lab/dsse, protocol.md; github.com/in-toto/attestation, spec/v1.
"""
