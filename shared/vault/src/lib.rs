//! The vault: what is secret is sealed field by field, and known again by keyed digests.
//!
//! **Invariant:** keys do not print, and stand in no error.
//! **Invariant:** a digest can only be made with the key: whoever has the table alone can neither read nor guess a code.
//! **Invariant:** the digest's key is for good (what was stored under it is found by it); keys that seal can be rotated.

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

/// Why the vault cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The configuration cannot be understood.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// KMS does not unwrap a key.
    #[error("KMS does not unwrap the key: {0}")]
    Unwrap(String),
}

/// How long a minted redemption code is: 16 of 32 letters are 80 bits.
const CODE_LETTERS: usize = 16;

/// The letters of minted codes: none can be mistaken for another.
const LETTERS: [char; 32] = [
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W',
    'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7', '8', '9',
];

/// Seals, opens and makes digests.
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
    /// A vault with these keys.
    pub fn new(keys: SealKeys, digests: impl Into<Vec<u8>>) -> Self {
        Self { keys, digests: std::sync::Arc::new(digests.into().into()) }
    }

    /// A vault without keys, which seals, opens and knows nothing: where there are no gift cards.
    pub fn closed() -> Self {
        Self::new(SealKeys::none(), [])
    }

    /// A vault by its configuration: keys that seal (`id:key` or `id:kms:blob`, comma-separated) and the key of digests
    /// (text of 32 characters and more, or `kms:blob`).
    pub async fn open(keys: &str, digests: &str, kms: Option<&Kms>) -> Result<Self, VaultError> {
        let keys = SealKeys::open_all(keys, kms).await?;
        let digests = match (digests.strip_prefix("kms:"), kms) {
            (Some(blob), Some(kms)) => kms.unwrap(blob).await?,
            (None, _) if digests.len() >= 32 => digests.as_bytes().to_vec(),
            (Some(_) | None, _) => return Err(VaultError::Malformed("SCRIP_CODE_KEY")),
        };
        Ok(Self::new(keys, digests))
    }

    /// The HMAC-SHA256 of a text, for one purpose.
    fn mac(&self, purpose: &str, text: &str) -> Option<[u8; 32]> {
        let key = self.digests.expose_secret();
        // A digest without a key could be made by anyone.
        if key.is_empty() {
            return None;
        }
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).ok()?;
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }

    /// Its first 128 bits.
    fn digest(&self, purpose: &str, text: &str) -> Option<String> {
        Some(hex::encode(self.mac(purpose, text)?.get(..16)?))
    }

    /// How a card is known again.
    pub fn card_id(&self, card: &PlainCard) -> Option<CardId> {
        Some(CardId::of(self.digest("card", &card.identity()?)?))
    }

    /// How a registered redemption code is known again.
    pub fn code_id(&self, code: &RedemptionCode) -> Option<CodeId> {
        Some(CodeId::of(self.digest("code", code.folded())?))
    }

    /// What a code of a campaign comes to.
    pub fn redemption_id(&self, campaign: &AccountId, code: &RedemptionCode) -> Option<RedemptionId> {
        Some(RedemptionId::of(&self.digest(&format!("redemption|{campaign}"), code.folded())?))
    }

    /// How an address is known again without being stored.
    pub fn address_id(&self, address: &str) -> Option<String> {
        self.digest("address", address)
    }

    /// Seals each part of a card.
    pub fn seal_card(
        &self,
        plain: &PlainCard,
        brand: &BrandId,
        denomination: Money,
        source: CardSource,
        now: Timestamp,
    ) -> Option<Card> {
        let id = self.card_id(plain)?;
        let seal = |(part, text): (&Part, &String)| {
            Some((*part, Sealed(self.keys.seal(&field(&id, *part), text.as_bytes())?)))
        };
        let parts = plain.parts.iter().map(seal).collect::<Option<BTreeMap<_, _>>>()?;
        Some(Card {
            id: id.clone(),
            brand: brand.clone(),
            denomination,
            pool: None,
            source,
            parts,
            expires_on: plain.expires_on,
            created_at: now,
        })
    }

    /// Opens each part of a card.
    pub fn open_card(&self, card: &Card) -> Option<PlainCard> {
        let open = |(part, sealed): (&Part, &Sealed)| {
            let text = String::from_utf8(self.keys.open(&field(&card.id, *part), &sealed.0)?).ok()?;
            Some((*part, text))
        };
        let parts = card.parts.iter().map(open).collect::<Option<_>>()?;
        Some(PlainCard { parts, expires_on: card.expires_on })
    }

    /// Seals where a redemption is sent.
    pub fn seal_address(&self, redemption: &RedemptionId, address: &str) -> Option<Sealed> {
        self.keys.seal(&format!("delivery|{redemption}"), address.as_bytes()).map(Sealed)
    }

    /// A new redemption code: `XXXX-XXXX-XXXX-XXXX`, 80 random bits.
    pub fn mint_code(&self) -> Option<String> {
        let mut bytes = [0_u8; CODE_LETTERS];
        SystemRandom::new().fill(&mut bytes).ok()?;
        spelt(&bytes)
    }

    /// The `n`-th code that a request mints: 80 bits that nobody can tell who lacks the key, and the same whenever it is
    /// asked for again.
    pub fn mint_code_for(&self, campaign: &AccountId, cause: &Cause, n: u32) -> Option<String> {
        let bytes = self.mac(&format!("mint|{campaign}"), &format!("{cause}|{n}"))?;
        spelt(bytes.get(..CODE_LETTERS)?)
    }
}

/// A code of these bytes; each gives five bits.
fn spelt(bytes: &[u8]) -> Option<String> {
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32));
    let letters = bytes.iter().map(letter).collect::<Option<String>>()?;
    // In groups of four, as people read them.
    let groups = letters.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).ok());
    Some(groups.collect::<Option<Vec<_>>>()?.join("-"))
}

/// The name that a part of a card is sealed under.
fn field(card: &CardId, part: Part) -> String {
    format!("card|{card}|{}", part.as_str())
}
