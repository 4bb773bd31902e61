//! Defines a request in one place: its fields, how they are read, rules across fields, and its schema in
//! the API document.
//!
//! ```ignore
//! request! {
//!     /// Spend credit.
//!     pub(crate) struct DeductCreditsRequest {
//!         /// How much.
//!         amount: Amount,
//!         /// The order it pays.
//!         order_id: Option<OrderId>,
//!     }
//! }
//! ```
//!
//! defines the struct, `DeductCreditsRequest::read(request.fields()?)`, and its schema.
//!
//! `field as "name": Type` sets another name for the JSON field. `check(fields) { … }` checks rules
//! across fields: it sees each field as read, before it is known whether all are valid, and may call
//! `fields.offend(…)`. `rules [ … ]` adds schemas that describe the same rules.
//!
//! **Invariant:** a field is defined once, so that reader and schema agree.

use crate::fields::Fields;
use crate::input::{Input, Text};
use crate::params::Params;
use crate::problem::MissingField;
use crate::schema;
use serde_json::{Map, Value, json};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

/// The type of a request's field: required, optional (`Option`), or cleared by null ([`Clearable`]).
pub trait Field: Sized {
    /// The result of reading the field, before it is known whether all fields are valid.
    type Read;
    /// True if the field is required.
    const REQUIRED: bool;
    /// Reads the field, and records an error if it is invalid.
    fn take(fields: &mut Fields<'_>, name: &'static str) -> Self::Read;
    /// Returns the value, once all fields are valid.
    fn done(read: Self::Read) -> Result<Self, MissingField>;
    /// Returns the schema of the field.
    fn schema() -> Value;
}

impl<T: Input> Field for T {
    type Read = Result<T, MissingField>;
    const REQUIRED: bool = true;

    fn take(fields: &mut Fields<'_>, name: &'static str) -> Self::Read {
        fields.required(name, T::read)
    }

    fn done(read: Self::Read) -> Result<Self, MissingField> {
        read
    }

    fn schema() -> Value {
        T::schema()
    }
}

impl<T: Input> Field for Option<T> {
    type Read = Self;
    const REQUIRED: bool = false;

    fn take(fields: &mut Fields<'_>, name: &'static str) -> Self {
        fields.optional(name, T::read)
    }

    fn done(read: Self) -> Result<Self, MissingField> {
        Ok(read)
    }

    fn schema() -> Value {
        schema::or_null(T::schema())
    }
}

/// A field that changes a stored value: if omitted, the value stays; null clears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clearable<T>(pub Option<Option<T>>);

impl<T: Input> Field for Clearable<T> {
    type Read = Self;
    const REQUIRED: bool = false;

    fn take(fields: &mut Fields<'_>, name: &'static str) -> Self {
        Self(fields.nullable(name, T::read))
    }

    fn done(read: Self) -> Result<Self, MissingField> {
        Ok(read)
    }

    fn schema() -> Value {
        schema::or_null(T::schema())
    }
}

/// A field as described in the API document.
pub struct FieldSchema {
    /// The name of the JSON field.
    pub name: &'static str,
    /// The lines of its description.
    pub doc: &'static [&'static str],
    /// True if it must be sent.
    pub required: bool,
    /// The JSON Schema of the accepted values.
    pub schema: Value,
}

fn prose(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Returns the schema of a request with these fields and no others.
pub fn object(doc: &[&str], fields: Vec<FieldSchema>, rules: Vec<Value>) -> Value {
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let described = |field: FieldSchema| {
        let mut schema = field.schema;
        let doc = prose(field.doc);
        if !doc.is_empty() {
            schema = schema::with(schema, json!({"description": doc}));
        }
        (field.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = fields.into_iter().map(described).collect();
    let mut schema = json!({
        "type": "object",
        "description": prose(doc),
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(keywords) = schema.as_object_mut() {
        if !required.is_empty() {
            keywords.insert("required".to_owned(), json!(required));
        }
        if !rules.is_empty() {
            keywords.insert("allOf".to_owned(), Value::Array(rules));
        }
    }
    schema
}

/// Describes an optional query parameter.
pub fn query_parameter<T: Text>(name: &str, doc: &[&str], required: &[&str]) -> Parameter {
    let doc = prose(doc);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(if required.contains(&name) { Required::True } else { Required::False })
        .description((!doc.is_empty()).then_some(doc))
        .schema(Some(schema::inline(T::schema())))
        .build()
}

/// Reads an optional query parameter.
pub fn query_value<T: Text>(params: &mut Params, name: &'static str) -> Option<T> {
    params.optional(name, T::parse)
}

/// Expands to the name of a field: the one after `as`, or else the identifier.
#[macro_export]
macro_rules! wire_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// Declares a request; see [`crate::request`].
#[macro_export]
macro_rules! request {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $request:ident {
            $($(#[doc = $field_doc:literal])* $field:ident $(as $name:literal)?: $type:ty,)*
        }
        $(check($fields:ident $(, $argument:ident: $argument_type:ty)*) $check:block)?
        $(rules $rules:expr)?
    ) => {
        $(#[doc = $doc])*
        $vis struct $request {
            $($(#[doc = $field_doc])* $vis $field: $type,)*
        }

        impl $request {
            /// Reads the request; reports all invalid fields.
            #[allow(unused_mut, unused_variables)]
            $vis fn read(
                mut sent: $crate::fields::Fields<'_>
                $($(, $argument: $argument_type)*)?
            ) -> Result<Self, $crate::Problem> {
                $(let $field = <$type as $crate::request::Field>::take(
                    &mut sent,
                    $crate::wire_name!($field $($name)?),
                );)*
                $({
                    let $fields = &mut sent;
                    $check
                })?
                sent.finish()?;
                Ok(Self { $($field: <$type as $crate::request::Field>::done($field)?,)* })
            }
        }

        impl utoipa::PartialSchema for $request {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let fields = vec![$($crate::request::FieldSchema {
                    name: $crate::wire_name!($field $($name)?),
                    doc: &[$($field_doc),*],
                    required: <$type as $crate::request::Field>::REQUIRED,
                    schema: <$type as $crate::request::Field>::schema(),
                },)*];
                #[allow(unused_mut, unused_assignments)]
                let mut rules: Vec<serde_json::Value> = vec![];
                $(rules = Vec::from($rules);)?
                $crate::schema::inline($crate::request::object(&[$($doc),*], fields, rules))
            }
        }

        impl utoipa::ToSchema for $request {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($request).into()
            }
        }
    };
}

/// Declares the parameters of a query. All are optional but those that the handler cannot do without, which are named
/// as `required`.
#[macro_export]
macro_rules! query {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $query:ident {
            $($(#[doc = $field_doc:literal])* $field:ident $(as $name:literal)?: $type:ty,)*
        }
        $(required $required:expr)?
    ) => {
        $(#[doc = $doc])*
        $vis struct $query {
            $($(#[doc = $field_doc])* $vis $field: Option<$type>,)*
        }

        impl $query {
            /// Reads the parameters from a query.
            $vis fn take(params: &mut $crate::params::Params) -> Self {
                Self {
                    $($field: $crate::request::query_value::<$type>(
                        params,
                        $crate::wire_name!($field $($name)?),
                    ),)*
                }
            }
        }

        impl utoipa::IntoParams for $query {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                let required: &[&str] = &[];
                $(let required: &[&str] = &$required;)?
                vec![$($crate::request::query_parameter::<$type>(
                    $crate::wire_name!($field $($name)?),
                    &[$($field_doc),*],
                    required,
                ),)*]
            }
        }
    };
}
