//! How deep JSON nests, found without parsing it.

/// Fails if `json` has more than `limit` levels of objects and lists. Says nothing about whether it is JSON.
pub(super) fn check(json: &[u8], limit: usize) -> Result<(), ()> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return Err(());
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_outside_strings_only() {
        assert!(check(b"[[[]]]", 3).is_ok());
        assert!(check(b"[[[[]]]]", 3).is_err());
        assert!(check(br#"{"a": "[[[[[[[\"[["}"#, 1).is_ok());
        assert!(check(br#"["\\", [[]]]"#, 2).is_err());
        assert!(check(&[b'['; 1 << 20], 16).is_err());
    }
}
