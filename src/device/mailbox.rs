//! The mailbox of a Raspberry Pi's firmware: `/dev/vcio`, which `vcgencmd` asks, too.
//!
//! Kernels since 2025 show the power and heat flags nowhere below `/sys`, and older ones cleared what held "since the start"
//! while reading them; the firmware itself knows.

use std::fs::File;

use super::board::FirmwareFlags;

/// Asks for the word of `vcgencmd get_throttled`.
const GET_THROTTLED: u32 = 0x0003_0046;
/// The answer came whole.
const ANSWERED: u32 = 0x8000_0000;

/// The words of a request: size, what became of it, one tag with one word to hold its value, the end.
type Message = [u32; 7];

/// Clears no bit: the value says which of those "since the start" are cleared.
const REQUEST: Message = [28, 0, GET_THROTTLED, 4, 0, 0, 0];

fn flags(answer: &Message) -> Option<FirmwareFlags> {
    let [_, ANSWERED, GET_THROTTLED, _, length, value, _] = *answer else { return None };
    (length & ANSWERED != 0 && length & !ANSWERED >= 4).then_some(FirmwareFlags(value))
}

/// The open mailbox.
#[derive(Debug)]
pub(super) struct Mailbox(File);

impl Mailbox {
    /// The one of this machine, if it has one, this user may ask it, and it answers.
    pub(super) fn open() -> Option<Self> {
        let mailbox = Self(File::open("/dev/vcio").ok()?);
        mailbox.flags().map(|_| mailbox)
    }

    #[allow(
        unsafe_code,
        reason = "the kernel writes its answer over the request, which is of the size that it says"
    )]
    pub(super) fn flags(&self) -> Option<FirmwareFlags> {
        use std::os::fd::AsRawFd;
        nix::ioctl_readwrite!(property, 100, 0, *mut Message);
        let mut message = REQUEST;
        // The driver's number was made with the size of an address, and what it takes is that of the message.
        let address = std::ptr::from_mut(&mut message).cast::<*mut Message>();
        // SAFETY: the file is open, the message is as long as its first word says and lives until the call is over.
        unsafe { property(self.0.as_raw_fd(), address) }.ok()?;
        flags(&message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_to_the_question_counts() {
        assert_eq!(REQUEST.len() * 4, REQUEST[0] as usize);
        let answer = [28, ANSWERED, GET_THROTTLED, 4, ANSWERED | 4, 0x5_0005, 0];
        assert_eq!(flags(&answer), Some(FirmwareFlags(0x5_0005)));
        for (word, wrong) in [(1, 0), (1, 0x8000_0001), (2, 0x0003_0002), (4, 4), (4, ANSWERED)] {
            let mut bad = answer;
            bad[word] = wrong;
            assert_eq!(flags(&bad), None, "{word}");
        }
        assert_eq!(flags(&REQUEST), None);
    }
}
