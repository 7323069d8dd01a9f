//! The dialect as its clients see it.
