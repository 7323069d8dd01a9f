//! The format as providers speak it, for clients that speak another one.
