//! One declaration a block: its bytes are taken apart and put together by the same list.

/// A value of fixed length in a block.
pub(super) trait Item: Sized {
    /// Takes the value from the front.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
    /// Puts the value at the front of what is left.
    fn put(&self, out: &mut &mut [u8]) -> Option<()>;
}

impl<const N: usize> Item for [u8; N] {
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk::<N>()?;
        *bytes = rest;
        Some(*first)
    }

    fn put(&self, out: &mut &mut [u8]) -> Option<()> {
        let (first, rest) = core::mem::take(out).split_first_chunk_mut::<N>()?;
        *first = *self;
        *out = rest;
        Some(())
    }
}

/// Items made of an array of bytes and back.
macro_rules! items {
    ($([$($generic:tt)*] $item:ty, $bytes:ident => $from:expr, $value:ident => $to:expr;)*) => {$(
        impl<$($generic)*> Item for $item {
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                let $bytes = Item::take(bytes)?;
                Some($from)
            }

            fn put(&self, out: &mut &mut [u8]) -> Option<()> {
                let $value = self;
                Item::put(&$to, out)
            }
        }
    )*};
}
items! {
    [] u8, bytes => { let [byte] = bytes; byte }, value => [*value];
    [] i8, bytes => i8::from_be_bytes(bytes), value => value.to_be_bytes();
    [] u16, bytes => u16::from_be_bytes(bytes), value => value.to_be_bytes();
    [const N: usize] super::WireText<N>, bytes => Self(bytes), value => value.0;
    [const N: usize] super::Secret<N>, bytes => Self(bytes), value => value.0;
}

impl Item for [u16; 8] {
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut words = [0; 8];
        for word in &mut words {
            *word = Item::take(bytes)?;
        }
        Some(words)
    }

    fn put(&self, out: &mut &mut [u8]) -> Option<()> {
        self.iter().try_for_each(|word| word.put(out))
    }
}

/// Declares a block from its fields in the order of their bytes: the read, the parser, the bytes, the change. A block
/// with `parts` can be written; those are the runs of registers that belong together.
macro_rules! wireless_block {
    (
        $(#[$doc:meta])*
        $name:ident, $title:literal, $address:literal, $count:literal $(, parts: $parts:expr)? ;
        $($(#[$field_doc:meta])* $vis:vis $field:ident: $type:ty,)+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct $name { $($(#[$field_doc])* $vis $field: $type,)+ }

        impl $name {
            /// The read of the block.
            pub const READ: $crate::wire::Request<'static> = $crate::wire::Request::read_fixed::<$address, $count>();
            /// Bytes of the block.
            pub const LEN: usize = 2 * $count;

            /// From the registers of a reply that holds the block.
            ///
            /// # Errors
            /// [`BlockError::Missing`](crate::acrel::BlockError). It names addresses, never contents.
            pub fn from_registers(registers: &$crate::wire::Registers<'_>) -> Result<Self, $crate::acrel::BlockError> {
                let (address, count) = (registers.address(), registers.count());
                let missing = $crate::acrel::BlockError::Missing { block: $title, address, count };
                let mut all = zeroize::Zeroizing::new([0; Self::LEN]);
                *all = super::change::bytes_of($title, $address, registers)?;
                Self::parse(&mut &all[..]).ok_or(missing)
            }

            fn parse(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: super::layout::Item::take(bytes)?,)+ })
            }

            /// The bytes of the block as the meter keeps them, wiped when dropped. They may hold credentials.
            #[must_use]
            pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; Self::LEN]> {
                let mut bytes = zeroize::Zeroizing::new([0; Self::LEN]);
                // The items of a block fill it exactly; a test shows it for each.
                let _filled = self.put(&mut &mut bytes[..]);
                bytes
            }

            fn put(&self, rest: &mut &mut [u8]) -> Option<()> {
                $(super::layout::Item::put(&self.$field, rest)?;)+
                Some(())
            }

            $(
                /// What has to be written to a meter that showed `shown`, so that it shows this.
                pub fn change_from(&self, shown: &Self) -> super::WirelessChange<{ 2 * $count }> {
                    super::WirelessChange::new($title, $parts, *shown.to_bytes(), *self.to_bytes())
                }
            )?
        }
    };
}
pub(super) use wireless_block;
