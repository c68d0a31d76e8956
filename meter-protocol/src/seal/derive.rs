//! Key derivation: SP 800-108 in counter mode with CMAC of the suite's own cipher.

use super::ciphers::EpochKeys;
use super::cmac::Cmac;
use super::{Direction, Form, KeyBundle, Nonce, PeerId, Suite, VERSION};
use cipher::KeyInit;
use core::fmt;
use zeroize::Zeroize;

const LABEL_SETUP: &[u8; 8] = b"SEAL-SET";
const LABEL_SESSION: &[u8; 8] = b"SEAL-SES";
const LABEL_TAG: &[u8; 8] = b"SEAL-TAG";
const LABEL_EPOCH: &[u8; 8] = b"SEAL-EPO";
const LABEL_RECORD: &[u8; 8] = b"SEAL-REC";
const MAX_KEY_LEN: usize = 24;
/// Counter, label, zero, the longest context and the length.
const MAX_INPUT_LEN: usize = 1 + 8 + 1 + MAX_CONTEXT_LEN + 2;
const MAX_CONTEXT_LEN: usize = 44;

/// What a key of an epoch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Encipher = 1,
    Authenticate = 2,
    Iv = 3,
    /// Suites 2 and 3 have one key for both.
    #[cfg(any(feature = "seal-aes", feature = "seal-sm4"))]
    Aead = 4,
}

/// CMAC of a suite's cipher.
#[cfg_attr(
    any(feature = "seal-aes", feature = "seal-sm4"),
    expect(clippy::large_enum_variant, reason = "lives on the stack for a moment")
)]
pub(super) enum Prf {
    Tdes(Cmac<des::TdesEde3>),
    #[cfg(feature = "seal-aes")]
    Aes(Cmac<aes::Aes128>),
    #[cfg(feature = "seal-sm4")]
    Sm4(Cmac<sm4::Sm4>),
}

impl Prf {
    /// A bundle is only built for a suite that is built in, with the length of that suite.
    pub(super) fn new(key: &KeyBundle) -> Self {
        match key.suite() {
            #[cfg(feature = "seal-aes")]
            Suite::AesCcm => Self::Aes(Cmac::new(keyed(key.bytes()))),
            #[cfg(feature = "seal-sm4")]
            Suite::Sm4Ccm => Self::Sm4(Cmac::new(keyed(key.bytes()))),
            _ => Self::Tdes(Cmac::new(keyed(key.bytes()))),
        }
    }

    /// The whole tag, followed by zeros for ciphers with short blocks, and its length.
    pub(super) fn mac(&self, data: &[u8]) -> ([u8; 16], usize) {
        let mut tag = [0; 16];
        let len = match self {
            Self::Tdes(cmac) => copied(&mut tag, &cmac.mac(data)),
            #[cfg(feature = "seal-aes")]
            Self::Aes(cmac) => copied(&mut tag, &cmac.mac(data)),
            #[cfg(feature = "seal-sm4")]
            Self::Sm4(cmac) => copied(&mut tag, &cmac.mac(data)),
        };
        (tag, len)
    }

    fn derive(&self, label: &[u8; 8], context: &[u8], out: &mut [u8]) {
        let bits = u16::try_from(out.len().saturating_mul(8)).unwrap_or(u16::MAX).to_be_bytes();
        let mut filled = 0_usize;
        let mut count = 1_u8;
        while filled < out.len() {
            let mut input = [0; MAX_INPUT_LEN];
            let parts = [count].into_iter().chain(*label).chain([0]).chain(context.iter().copied()).chain(bits);
            let len = input.iter_mut().zip(parts).map(|(to, from)| *to = from).count();
            let (mut block, block_len) = self.mac(input.get(..len).unwrap_or_default());
            let rest = out.iter_mut().skip(filled);
            let copied = rest.zip(block.iter().take(block_len)).map(|(to, from)| *to = *from).count();
            block.zeroize();
            filled = filled.saturating_add(copied.max(1));
            count = count.saturating_add(1);
        }
    }
}

/// A cipher from a key of its length. Another length can't be: bundles are checked and derived keys cut to it.
pub(super) fn keyed<C: KeyInit>(key: &[u8]) -> C {
    C::new_from_slice(key).unwrap_or_else(|_| C::new(&cipher::Key::<C>::default()))
}

fn copied(to: &mut [u8; 16], from: &[u8]) -> usize {
    to.iter_mut().zip(from).map(|(to, from)| *to = *from).count()
}

/// The key under which set-up frames of a direction are authenticated.
pub(super) fn setup_prf(master: &KeyBundle, key_id: u8, direction: Direction) -> Prf {
    let context = [VERSION, master.suite().code(), key_id, direction.code()];
    Prf::new(&derived_key(&Prf::new(master), master.suite(), LABEL_SETUP, &context))
}

/// The key under which stored sessions are authenticated. It never leaves the machine.
pub(super) fn record_prf(master: &KeyBundle, key_id: u8) -> Prf {
    let context = [VERSION, master.suite().code(), key_id];
    Prf::new(&derived_key(&Prf::new(master), master.suite(), LABEL_RECORD, &context))
}

/// What both sides agreed on in the set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) form: Form,
    pub(super) peer: PeerId,
    pub(super) key_id: u8,
    pub(super) hello: Nonce,
    pub(super) welcome: Nonce,
}

/// The secret of a session, from which its epochs' keys come.
#[derive(Clone)]
pub(super) struct Schedule {
    secret: KeyBundle,
    key_id: u8,
    tag: [u8; 4],
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Schedule {
    pub(super) fn new(master: &KeyBundle, agreed: &Agreed) -> Self {
        let suite = master.suite();
        let mut context = [0; MAX_CONTEXT_LEN];
        let head = [VERSION, suite.code(), agreed.key_id, agreed.form.code()];
        let parts = head.into_iter().chain(agreed.peer.0.to_be_bytes()).chain(agreed.hello.0).chain(agreed.welcome.0);
        context.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        let secret = derived_key(&Prf::new(master), suite, LABEL_SESSION, &context);
        let mut tag = [0; 4];
        Prf::new(&secret).derive(LABEL_TAG, &[], &mut tag);
        Self { secret, key_id: agreed.key_id, tag }
    }

    pub(super) const fn suite(&self) -> Suite {
        self.secret.suite()
    }

    pub(super) const fn key_id(&self) -> u8 {
        self.key_id
    }

    pub(super) const fn tag(&self) -> [u8; 4] {
        self.tag
    }

    pub(super) fn epoch(&self, direction: Direction, epoch: u16) -> EpochKeys {
        let prf = Prf::new(&self.secret);
        let key = |purpose: Use| {
            let [high, low] = epoch.to_be_bytes();
            derived_key(&prf, self.suite(), LABEL_EPOCH, &[purpose as u8, direction.code(), high, low])
        };
        EpochKeys::new(self.suite(), key)
    }
}

fn derived_key(prf: &Prf, suite: Suite, label: &[u8; 8], context: &[u8]) -> KeyBundle {
    let mut bytes = [0; MAX_KEY_LEN];
    let out = bytes.get_mut(..suite.key_len()).unwrap_or_default();
    prf.derive(label, context, out);
    let key = KeyBundle::unchecked(suite, out);
    bytes.zeroize();
    key
}
