//! A 128-bit checksum that is the same in every release and on every machine. Not for secrets.

use std::hash::Hasher;

/// The checksum of some bytes.
#[allow(deprecated, reason = "SipHasher's result is fixed, DefaultHasher's may change")]
pub fn checksum(bytes: &[u8]) -> u128 {
    let half = |key: u64| {
        let mut hasher = std::hash::SipHasher::new_with_keys(key, !key);
        hasher.write(bytes);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}
