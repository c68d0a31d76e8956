//! Topics: what it is about, product key, serial.

use super::CloudError;
use core::fmt;
use std::string::String;

/// Longest product key or serial.
pub const MAX_NAME_LEN: usize = 64;

/// What a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopicKind {
    /// `sys/dev`: log-in, time, topology.
    SystemDevice,
    /// `sys/server`.
    SystemServer,
    /// `data/up`: readings.
    DataUp,
    /// `indicate/server`.
    IndicateServer,
    /// `indicate/dev`.
    IndicateDevice,
}

impl TopicKind {
    const ALL: [Self; 5] =
        [Self::SystemDevice, Self::SystemServer, Self::DataUp, Self::IndicateServer, Self::IndicateDevice];

    /// How the topic begins.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::SystemDevice => "sys/dev",
            Self::SystemServer => "sys/server",
            Self::DataUp => "data/up",
            Self::IndicateServer => "indicate/server",
            Self::IndicateDevice => "indicate/dev",
        }
    }
}

/// A topic of one meter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    kind: TopicKind,
    product_key: String,
    serial: String,
}

impl Topic {
    /// A topic.
    ///
    /// ```
    /// use meter_protocol::uplink::cloud::{Topic, TopicKind};
    /// let topic = Topic::new(TopicKind::DataUp, "product", "20260305")?;
    /// assert_eq!(topic.to_string(), "data/up/product/20260305");
    /// assert_eq!(Topic::parse("data/up/product/20260305")?, topic);
    /// # Ok::<(), meter_protocol::uplink::cloud::CloudError>(())
    /// ```
    ///
    /// # Errors
    /// [`CloudError::Name`]: what would be a level or a wildcard of its own is refused.
    pub fn new(kind: TopicKind, product_key: &str, serial: &str) -> Result<Self, CloudError> {
        let is_name = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=MAX_NAME_LEN).contains(&name.len()) && name.bytes().all(plain)
        };
        if !is_name(product_key) || !is_name(serial) {
            return Err(CloudError::Name);
        }
        Ok(Self { kind, product_key: product_key.into(), serial: serial.into() })
    }

    /// Reads a topic.
    ///
    /// # Errors
    /// [`CloudError::Topic`], [`CloudError::Name`].
    pub fn parse(text: &str) -> Result<Self, CloudError> {
        let mut matching = TopicKind::ALL.into_iter().filter_map(|kind| {
            let names = text.strip_prefix(kind.prefix())?.strip_prefix('/')?;
            Some((kind, names))
        });
        let (kind, names) = matching.next().ok_or(CloudError::Topic)?;
        let (product_key, serial) = names.split_once('/').ok_or(CloudError::Topic)?;
        Self::new(kind, product_key, serial)
    }

    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> TopicKind {
        self.kind
    }

    /// The product key.
    #[must_use]
    pub fn product_key(&self) -> &str {
        &self.product_key
    }

    /// The serial.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.prefix(), self.product_key, self.serial)
    }
}
