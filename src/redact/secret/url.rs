//! Passwords of URLs.

use super::chars::ends_word;
use super::looks::is_harmless;
use super::value::secret;
use super::{Kind, Look, Tokens};
use crate::percent;

/// `://user:password@host`, whose signs are so often percent-encoded.
pub(super) fn url(text: &[u8], start: usize, level: usize, last: bool, tokens: Tokens<'_>) -> Look {
    const LONGEST: usize = 1024;
    /// Of a password behind a sign that ends a host.
    const BEYOND: usize = 64;
    let (mut at, mut password, mut end, mut beyond) = (start, None, None, false);
    let mut limit = start + LONGEST;
    loop {
        if !last && text.len() < limit && text.len() - at.min(text.len()) < 1 + 2 * level {
            return Look::Open;
        }
        let Some(char) = percent::char_at(&text[..limit.min(text.len())], at, level) else { break };
        if char.level == 0 && (ends_word(char.byte) && (level > 0 || char.byte != b'&')) {
            break;
        }
        match char.byte {
            _ if char.level != level => {}
            b':' if password.is_none() => password = Some(at + char.length),
            b'@' if password.is_none() => break,
            b'@' => {
                end = Some(at);
                if beyond {
                    break;
                }
            }
            // Here the host ends, unless what stood there can be no port: a password may hold such a sign.
            b'/' | b'?' | b'#' if !beyond => {
                let port = password.filter(|_| end.is_none()).map(|from| &text[from..at]);
                if port.is_none_or(|port| port.iter().all(u8::is_ascii_digit)) || text[start] == b'[' {
                    break;
                }
                (beyond, limit) = (true, limit.min(at + BEYOND));
            }
            _ => {}
        }
        at += char.length;
    }
    let (Some(start), Some(end)) = (password, end) else { return Look::No };
    let password = &text[start..end];
    // `host:443,user@…` and `host:443&mail=a@b` have a port there.
    let digits = password.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let port = digits > 0 && matches!(password.get(digits), Some(b',' | b'&' | b';' | b')' | b']'));
    if port {
        return Look::No;
    }
    if end > tokens.until {
        return Look::Open;
    }
    secret(Kind::Url, text, start..end, true, false, tokens, |part| !is_harmless(b"", part))
}
