//! Addresses: what may be sent where.

use std::net::IpAddr;

use reqwest::{ClientBuilder, Url};

/// The host with its port, for messages and events.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether others on the way can hear it.
pub fn is_unencrypted(url: &Url) -> bool {
    url.scheme() != "https" && !is_loopback(url)
}

/// Whether it stays on this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A client's builder for requests to `url`. What is for this machine goes past every proxy that the environment names:
/// it would travel to the proxy unencrypted.
pub(crate) fn client_builder(url: &Url) -> ClientBuilder {
    let builder = trusting_builder();
    if is_loopback(url) { builder.no_proxy() } else { builder }
}

/// A client's builder that knows whom to trust.
pub(crate) fn trusting_builder() -> ClientBuilder {
    let builder = reqwest::Client::builder();
    // Android's own list is behind Java, and asking it panics where no app has set that up.
    #[cfg(target_os = "android")]
    let builder = {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        builder.tls_certs_only(roots.filter_map(|der| reqwest::Certificate::from_der(der).ok()))
    };
    builder
}

/// Refuses what is no web address, and one that holds a password, which logs would show.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn check_address(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("`{url}` is not an http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address holds a password: give keys by environment or file".to_owned());
    }
    Ok(())
}

/// `path` below the base address, with or without a slash at its end.
pub(crate) fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let below = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{below}/{path}"));
    url
}
