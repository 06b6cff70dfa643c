//! Which addresses figures may be sent to: encrypted ones, and this machine's own.

use std::net::IpAddr;

/// Checks that `url` is `https://…`, or `http://…` of this machine, with a host and without a user, query or fragment.
///
/// # Errors
/// What it must be, in a sentence without the address: it may hold what is nobody's business.
pub fn check(url: &str) -> Result<(), String> {
    let wrong =
        "must be an https:// address, or an http:// address of this machine, without user, query or fragment";
    let (scheme, rest) = url.split_once("://").ok_or(wrong)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let clean = url.bytes().all(|b| b.is_ascii_graphic()) && !url.contains(['?', '#', '@', '\\']);
    let host = host_of(authority).filter(|host| clean && !host.is_empty()).ok_or(wrong)?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok(()),
        "http" if is_this_machine(host) => Ok(()),
        _ => Err(wrong.to_owned()),
    }
}

/// The host without its port; `None` if the port is no number.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    port.is_none_or(|port| port.parse::<u16>().is_ok()).then_some(host)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_addresses_and_this_machine_are_taken() {
        for good in [
            "https://metrics.example.com",
            "https://metrics.example.com:8443/api/",
            "http://127.0.0.1:4318",
            "http://localhost:4318/x",
            "http://[::1]:4318",
            "HTTPS://example.com",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com",
            "https://me:secret@example.com",
            "https://",
            "https://:80",
            "https://example.com:http",
            "https://example.com/?token=secret",
            "https://exa mple.com",
            "http://[::1",
            "ftp://127.0.0.1",
            "http://127.0.0.1\\@example.com",
        ] {
            let why = check(bad).unwrap_err();
            assert!(why.contains("https://") && !why.contains("secret"), "{bad}: {why}");
        }
    }
}
