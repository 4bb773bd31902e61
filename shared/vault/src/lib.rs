//! The vault: encrypts (seals) secrets field by field, and makes keyed digests by which stored secrets
//! are found.
//!
//! **Invariant:** keys appear neither in `Debug` output nor in errors.
//! **Invariant:** a digest can only be made with the key: the table alone is not enough to read or guess
//! a code.
//! **Invariant:** the digest key never changes, because items are stored under its digests; the sealing
//! keys can be rotated.

mod kms;
mod seal;

pub use kms::{Kms, connect};
pub use seal::SealKeys;

use domain::cause::Cause;
use domain::giftcard::card::{Card, Part, PlainCard};
use domain::giftcard::code::RedemptionCode;
use domain::giftcard::{CardSource, Sealed};
use domain::ids::budget::{AccountId, BrandId, CardId, CodeId, RedemptionId};
use domain::money::Money;
use domain::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;

/// The reason why the vault cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// This part of the configuration cannot be parsed.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// KMS failed to unwrap a key; holds its error code.
    #[error("KMS cannot unwrap the key: {0}")]
    Unwrap(String),
}

/// Letters of a minted redemption code: 16 letters of a 32-letter alphabet are 80 bits.
const CODE_LETTERS: usize = 16;

/// The alphabet of minted codes; excludes characters that are easily confused (I, O, 0, 1).
const LETTERS: [char; 32] = [
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W',
    'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7', '8', '9',
];

/// Seals and opens secrets, and makes keyed digests.
#[derive(Clone)]
pub struct Vault {
    keys: SealKeys,
    digests: std::sync::Arc<SecretSlice<u8>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?})", self.keys)
    }
}

impl Vault {
    /// Creates a vault from sealing keys and the digest key.
    pub fn new(keys: SealKeys, digests: impl Into<Vec<u8>>) -> Self {
        Self { keys, digests: std::sync::Arc::new(digests.into().into()) }
    }

    /// Creates a vault without keys, which can seal, open and digest nothing: for deployments without
    /// gift cards.
    pub fn closed() -> Self {
        Self::new(SealKeys::none(), [])
    }

    /// Returns true if it has no keys.
    pub fn is_closed(&self) -> bool {
        self.digests.expose_secret().is_empty()
    }

    /// Creates a vault from its configuration: the sealing keys (`id:key` or `id:kms:blob`,
    /// comma-separated) and the digest key (text of at least 32 characters, or `kms:blob`).
    pub async fn open(keys: &str, digests: &str, kms: Option<&Kms>) -> Result<Self, VaultError> {
        let keys = SealKeys::open_all(keys, kms).await?;
        let digests = match (digests.strip_prefix("kms:"), kms) {
            (Some(blob), Some(kms)) => kms.unwrap(blob).await?,
            (None, _) if digests.len() >= 32 => digests.as_bytes().to_vec(),
            (Some(_) | None, _) => return Err(VaultError::Malformed("SCRIP_CODE_KEY")),
        };
        Ok(Self::new(keys, digests))
    }

    /// Returns the HMAC-SHA256 of a purpose and a text; `None` without a digest key.
    fn mac(&self, purpose: &str, text: &str) -> Option<[u8; 32]> {
        let key = self.digests.expose_secret();
        // Without a secret key, any party could compute the digests.
        if key.is_empty() {
            return None;
        }
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).ok()?;
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }

    /// Returns the first 128 bits of the HMAC, in hex.
    fn digest(&self, purpose: &str, text: &str) -> Option<String> {
        Some(hex::encode(self.mac(purpose, text)?.get(..16)?))
    }

    /// Returns the id of a card: the digest of its identifying parts.
    pub fn card_id(&self, card: &PlainCard) -> Option<CardId> {
        Some(CardId::of(self.digest("card", &card.identity()?)?))
    }

    /// Returns the id of a minted redemption code, which is unique everywhere: the digest of its folded
    /// form.
    pub fn minted_code_id(&self, code: &RedemptionCode) -> Option<CodeId> {
        Some(CodeId::of(self.digest("code", code.folded())?))
    }

    /// Returns the id of a code that a client registered: the digest of its campaign and folded form.
    /// The same code in another campaign is another one.
    pub fn registered_code_id(&self, campaign: &AccountId, code: &RedemptionCode) -> Option<CodeId> {
        Some(CodeId::of(self.digest(&format!("code|{campaign}"), code.folded())?))
    }

    /// Returns the id of the redemption of a code in a campaign.
    pub fn redemption_id(&self, campaign: &AccountId, code: &RedemptionCode) -> Option<RedemptionId> {
        Some(RedemptionId::of(&self.digest(&format!("redemption|{campaign}"), code.folded())?))
    }

    /// Returns the digest of a caller's address, so that the address itself is not stored.
    pub fn address_id(&self, address: &str) -> Option<String> {
        self.digest("address", address)
    }

    /// Seals each part of a code separately; returns them with the id of the code.
    pub fn seal_parts(&self, plain: &PlainCard) -> Option<(CardId, BTreeMap<Part, Sealed>)> {
        let id = self.card_id(plain)?;
        let seal = |(part, text): (&Part, &String)| {
            Some((*part, Sealed(self.keys.seal(&field(&id, *part), text.as_bytes())?)))
        };
        let parts = plain.parts.iter().map(seal).collect::<Option<BTreeMap<_, _>>>()?;
        Some((id, parts))
    }

    /// Seals each part of a card separately.
    pub fn seal_card(
        &self,
        plain: &PlainCard,
        brand: &BrandId,
        denomination: Money,
        source: CardSource,
        now: Timestamp,
    ) -> Option<Card> {
        let (id, parts) = self.seal_parts(plain)?;
        Some(Card {
            id,
            brand: brand.clone(),
            denomination,
            pool: None,
            source,
            parts,
            expires_on: plain.expires_on,
            created_at: now,
        })
    }

    /// Opens every part of a code; `None` if one of them cannot be opened.
    pub fn open_parts(&self, id: &CardId, parts: &BTreeMap<Part, Sealed>) -> Option<BTreeMap<Part, String>> {
        let open = |(part, sealed): (&Part, &Sealed)| {
            let text = String::from_utf8(self.keys.open(&field(id, *part), &sealed.0)?).ok()?;
            Some((*part, text))
        };
        parts.iter().map(open).collect()
    }

    /// Opens every part of a card; `None` if one of them cannot be opened.
    pub fn open_card(&self, card: &Card) -> Option<PlainCard> {
        let parts = self.open_parts(&card.id, &card.parts)?;
        Some(PlainCard { parts, expires_on: card.expires_on })
    }

    /// Seals the address to which a redemption's card, or a bought voucher, is sent.
    pub fn seal_address(&self, sent: &str, address: &str) -> Option<Sealed> {
        self.keys.seal(&format!("delivery|{sent}"), address.as_bytes()).map(Sealed)
    }

    /// Returns a new redemption code with 80 random bits: `XXXX-XXXX-XXXX-XXXX`.
    pub fn mint_code(&self) -> Option<String> {
        let mut bytes = [0_u8; CODE_LETTERS];
        SystemRandom::new().fill(&mut bytes).ok()?;
        spelt(&bytes)
    }

    /// Returns the `n`-th code that a request mints: 80 bits that cannot be predicted without the key. A
    /// repetition of the request yields the same code.
    pub fn mint_code_for(&self, campaign: &AccountId, cause: &Cause, n: u32) -> Option<String> {
        let bytes = self.mac(&format!("mint|{campaign}"), &format!("{cause}|{n}"))?;
        spelt(bytes.get(..CODE_LETTERS)?)
    }
}

/// Spells bytes as a code, five bits of each byte per letter.
fn spelt(bytes: &[u8]) -> Option<String> {
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32));
    let letters = bytes.iter().map(letter).collect::<Option<String>>()?;
    // Groups of four letters are easier to read.
    let groups = letters.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).ok());
    Some(groups.collect::<Option<Vec<_>>>()?.join("-"))
}

/// The associated data under which a part of a card is sealed.
fn field(card: &CardId, part: Part) -> String {
    format!("card|{card}|{}", part.as_str())
}
