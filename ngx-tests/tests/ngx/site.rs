//! Everything a test of the whole way needs, set up in one go.
