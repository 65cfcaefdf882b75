//! What could not be read, counted by decoder and reason, so that a wrong configuration or a hostile
//! client shows on the status page.

/// Who could not read a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A body as a whole, before any decoder.
    Body,
    /// JSON.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// XML.
    Xml,
    /// GraphQL.
    Graphql,
    /// A JSON Web Token.
    Jwt,
    /// Base64.
    Base64,
    /// gzip, as a decoder or as a content coding.
    Gzip,
    /// The content coding `deflate`.
    Deflate,
    /// The content coding `br`.
    Brotli,
    /// The content coding `zstd`.
    Zstd,
}

/// Why it could not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not what the decoder reads.
    Malformed,
    /// Nested deeper than is followed.
    TooDeep,
    /// Longer, or of more parts, than is looked at.
    TooLarge,
    /// It was, or may have been, behind the limit of the body.
    Cut,
    /// A content coding that nobody here knows.
    Unsupported,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Body,
        Self::Json,
        Self::Form,
        Self::Multipart,
        Self::Xml,
        Self::Graphql,
        Self::Jwt,
        Self::Base64,
        Self::Gzip,
        Self::Deflate,
        Self::Brotli,
        Self::Zstd,
    ];

    /// As the counters name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Json => "json",
            Self::Form => "form",
            Self::Multipart => "multipart",
            Self::Xml => "xml",
            Self::Graphql => "graphql",
            Self::Jwt => "jwt",
            Self::Base64 => "base64",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Malformed, Self::TooDeep, Self::TooLarge, Self::Cut, Self::Unsupported];

    /// As the counters name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::Cut => "cut",
            Self::Unsupported => "unsupported",
        }
    }
}

/// How often each decoder could not read what it was given, by reason. A document counts once,
/// however many values are missing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undecoded([[u64; Reason::ALL.len()]; Format::ALL.len()]);

impl Undecoded {
    /// How many counts there are.
    pub const COUNTS: usize = Format::ALL.len() * Reason::ALL.len();

    /// Counts one more.
    pub fn count(&mut self, format: Format, reason: Reason) {
        if let Some(count) = self.0.get_mut(format as usize).and_then(|reasons| reasons.get_mut(reason as usize)) {
            *count += 1;
        }
    }

    /// The count of one decoder and reason.
    pub fn get(&self, format: Format, reason: Reason) -> u64 {
        self.0.get(format as usize).and_then(|reasons| reasons.get(reason as usize)).copied().unwrap_or(0)
    }

    /// The count of one decoder.
    pub fn of(&self, format: Format) -> u64 {
        self.0.get(format as usize).map_or(0, |reasons| reasons.iter().sum())
    }

    /// Each decoder and reason with its count, in a fixed order.
    pub fn each(&self) -> impl Iterator<Item = (Format, Reason, u64)> {
        Format::ALL.into_iter().flat_map(|format| Reason::ALL.map(|reason| (format, reason, self.get(format, reason))))
    }
}
