//! The object: what its fields take, and how records get into it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::org::{Case, Org};

/// What a field takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldRules {
    /// The most characters, in UTF-16 units; `None` for a field of another kind.
    pub most: Option<usize>,
    /// Whether a new record must have it.
    pub required: bool,
    /// The values of a restricted picklist.
    pub values: Option<Vec<String>>,
    /// Whether only a new record takes it.
    pub new_only: bool,
    /// Whether it is a date and time.
    pub moment: bool,
}

/// A no.
#[derive(Debug)]
pub(super) struct No {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) fields: Vec<String>,
}

impl No {
    /// To a whole call.
    pub(super) fn call(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned(), fields: Vec::new() }
    }

    fn field(code: &str, message: String, field: &str) -> Self {
        Self { status: 400, code: code.to_owned(), message, fields: vec![field.to_owned()] }
    }
}

/// The fields of a Case that the ready mapping fills, the custom ones among them.
pub(super) fn case() -> BTreeMap<String, FieldRules> {
    let text = |most| FieldRules { most: Some(most), ..FieldRules::default() };
    let origins = ["Phone", "Email", "Web", "X", "Social"].map(str::to_owned).to_vec();
    [
        ("Subject", text(255)),
        ("Description", text(32_000)),
        ("Origin", FieldRules { values: Some(origins), ..text(255) }),
        ("SuppliedName", FieldRules { new_only: true, ..text(80) }),
        ("X_Post_Id__c", text(20)),
        ("X_Author_Id__c", text(20)),
        ("X_Received_At__c", FieldRules { moment: true, ..FieldRules::default() }),
    ]
    .into_iter()
    .map(|(name, rules)| (name.to_owned(), rules))
    .collect()
}

/// How records are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    /// What `Sforce-Auto-Assign` says.
    pub(super) assign: &'a str,
    /// Whether what is there already is an error.
    pub(super) insert: bool,
}

/// Writes the one record of a call; the key of an insert is among its fields.
pub(super) fn one(org: &mut Org, key: &str, body: &Value, how: How<'_>) -> Result<(u16, Value), No> {
    let fields = read(org, body)?;
    let own = body[org.external_id.as_str()].as_str().unwrap_or_default();
    let (id, created) = write(org, if how.insert { own } else { key }, fields, how)?;
    let status = if created { 201 } else { 200 };
    Ok((status, json!({ "id": id, "success": true, "errors": [], "created": created })))
}

/// Writes the records of a call, each by itself.
pub(super) fn collection(
    org: &mut Org,
    body: &Value,
    how: How<'_>,
    count: &mut usize,
) -> Result<(u16, Value), No> {
    let records = body["records"].as_array().cloned().unwrap_or_default();
    *count = records.len();
    if records.is_empty() || records.len() > 200 {
        return Err(No::call(400, "INVALID_INPUT", "1 to 200 records"));
    }
    if body["allOrNone"] != false {
        return Err(No::call(400, "INVALID_INPUT", "this org is for allOrNone = false"));
    }
    // What cannot be read keeps the whole call from being read.
    let mut read_records = Vec::new();
    for record in &records {
        if record["attributes"]["type"] != org.object.as_str() {
            return Err(No::call(400, "INVALID_INPUT", "attributes.type"));
        }
        let key = record[org.external_id.as_str()].as_str().unwrap_or_default().to_owned();
        read_records.push((key, read(org, record)?));
    }
    let mut seen = Vec::new();
    let mut answers = Vec::new();
    for (key, fields) in read_records {
        let result = if seen.contains(&key) {
            Err(No::field(
                "DUPLICATE_VALUE",
                format!("Duplicate external id specified: {key}"),
                &org.external_id,
            ))
        } else {
            write(org, &key, fields, how)
        };
        seen.push(key);
        answers.push(match result {
            Ok((id, created)) => json!({ "id": id, "success": true, "errors": [], "created": created }),
            Err(No { code, message, fields, .. }) => {
                let error = json!({ "statusCode": code, "message": message, "fields": fields });
                json!({ "success": false, "errors": [error] })
            }
        });
    }
    Ok((200, Value::Array(answers)))
}

/// Reads the fields of a record; one that does not exist, or is not even a value of its kind, fails the call.
fn read(org: &Org, record: &Value) -> Result<BTreeMap<String, String>, No> {
    let none = Map::new();
    let mut fields = BTreeMap::new();
    for (name, value) in record.as_object().unwrap_or(&none) {
        if name == "attributes" || *name == org.external_id {
            continue;
        }
        let Some(rules) = org.fields.get(name) else {
            let message = format!("No such column '{name}' on sobject of type {}", org.object);
            return Err(No::call(400, "INVALID_FIELD", &message));
        };
        let Some(text) = value.as_str() else {
            return Err(No::call(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of text"));
        };
        if rules.moment && text.parse::<hookhouse_core::Timestamp>().is_err() {
            return Err(No::call(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of datetime"));
        }
        fields.insert(name.clone(), text.to_owned());
    }
    Ok(fields)
}

fn write(
    org: &mut Org,
    key: &str,
    fields: BTreeMap<String, String>,
    how: How<'_>,
) -> Result<(String, bool), No> {
    if let Some(code) = org.record_faults.pop_front() {
        return Err(No::call(400, code, "as the test wanted"));
    }
    if key.is_empty() || key.encode_utf16().count() > 255 {
        return Err(No::field("MISSING_ARGUMENT", "external id not specified".to_owned(), &org.external_id));
    }
    let exists = org.cases.contains_key(key);
    if let Some(case) = org.cases.get(key).filter(|_| how.insert) {
        let field = &org.external_id;
        let message =
            format!("duplicate value found: {field} duplicates value on record with id: {}", case.id);
        return Err(No::call(400, "DUPLICATE_VALUE", &message));
    }
    for (name, rules) in &org.fields {
        match fields.get(name) {
            None if rules.required && !exists => {
                let message = format!("Required fields are missing: [{name}]");
                return Err(No::field("REQUIRED_FIELD_MISSING", message, name));
            }
            None => {}
            Some(text) => check(name, text, rules, exists)?,
        }
    }
    let count = org.cases.len();
    let case = org.cases.entry(key.to_owned()).or_insert_with(|| Case {
        id: format!("500{count:015}"),
        fields: BTreeMap::new(),
        writes: 0,
        assigned: Vec::new(),
    });
    case.fields.extend(fields);
    case.writes += 1;
    case.assigned.push(how.assign.to_owned());
    Ok((case.id.clone(), !exists))
}

fn check(name: &str, text: &str, rules: &FieldRules, exists: bool) -> Result<(), No> {
    if let Some(most) = rules.most
        && text.encode_utf16().count() > most
    {
        let message = format!("{name}: data value too large (max length={most})");
        return Err(No::field("STRING_TOO_LONG", message, name));
    }
    if let Some(values) = &rules.values
        && !values.iter().any(|value| value == text)
    {
        let message = format!("{name}: bad value for restricted picklist field: {text}");
        return Err(No::field("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, name));
    }
    if rules.new_only && exists {
        let message = format!(
            "Unable to create/update fields: {name}. Please check the security settings of this field and verify \
             that it is read/write for your profile or permission set."
        );
        return Err(No::field("INVALID_FIELD_FOR_INSERT_UPDATE", message, name));
    }
    Ok(())
}
