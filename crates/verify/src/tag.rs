//! Signatures, compared in constant time.
