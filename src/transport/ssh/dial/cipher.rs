//! Which cipher a host is asked for: all of libssh2's are safe, but not as fast here.

use ssh2::{Error, MethodType, Session};

/// Asks for the cipher that costs least on this machine. libssh2's ChaCha20 is plain C; OpenSSL's AES uses the processor's
/// instructions for it, and without them is slower than that and open to others who share the cache.
pub fn prefer(session: &Session) -> Result<(), Error> {
    if !has_aes() {
        return Ok(());
    }
    for kind in [MethodType::CryptCs, MethodType::CryptSc] {
        session.method_pref(kind, &quickest_first(session.supported_algs(kind)?).join(","))?;
    }
    Ok(())
}

/// Shorter keys need fewer rounds; what is no AES-GCM (RFC 5647) stays in its order behind.
fn quickest_first(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_by_key(|name| match *name {
        "aes128-gcm@openssh.com" => 0,
        "aes256-gcm@openssh.com" => 1,
        _ => 2,
    });
    names
}

fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("aes") && is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_are_offered() {
        let names = vec![
            "chacha20-poly1305@openssh.com",
            "aes256-gcm@openssh.com",
            "aes128-gcm@openssh.com",
            "aes256-ctr",
        ];
        let sorted = quickest_first(names.clone());
        assert_eq!(sorted, [names[2], names[1], names[0], names[3]]);
    }
}
