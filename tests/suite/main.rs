//! The tests against real servers and the real binaries. `make test` starts what they need.

mod support;
