//! As much of JSON as is needed to read it back with every digit.

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As it stands.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// A whole text.
    pub(crate) fn parse(text: &str) -> Self {
        let (json, rest) = value(text);
        assert_eq!(rest, "", "more than one value");
        json
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { panic!("{self:?} is no object") };
        members.iter().find(|(known, _)| known == name).map(|(_, json)| json)
    }

    pub(crate) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("{self:?} is no text") };
        text
    }
}

fn value(text: &str) -> (Json, &str) {
    match text.as_bytes()[0] {
        b'n' => (Json::Null, text.strip_prefix("null").unwrap()),
        b't' => (Json::Bool(true), text.strip_prefix("true").unwrap()),
        b'f' => (Json::Bool(false), text.strip_prefix("false").unwrap()),
        b'"' => {
            let (text, rest) = string(text);
            (Json::Text(text), rest)
        }
        b'[' => {
            let (mut list, mut rest) = (Vec::new(), &text[1..]);
            while !rest.starts_with(']') {
                let (json, after) = value(rest);
                list.push(json);
                rest = after.strip_prefix(',').unwrap_or(after);
            }
            (Json::List(list), &rest[1..])
        }
        b'{' => {
            let (mut members, mut rest) = (Vec::new(), &text[1..]);
            while !rest.starts_with('}') {
                let (name, after) = string(rest);
                let (json, after) = value(after.strip_prefix(':').unwrap());
                members.push((name, json));
                rest = after.strip_prefix(',').unwrap_or(after);
            }
            (Json::Object(members), &rest[1..])
        }
        _ => {
            let end = text.find([',', ']', '}']).unwrap_or(text.len());
            (Json::Number(text[..end].to_owned()), &text[end..])
        }
    }
}

fn string(text: &str) -> (String, &str) {
    let mut escaped = false;
    let end = text[1..].bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let end = 1 + end.unwrap() + 1;
    (serde_json::from_str(&text[..end]).unwrap(), &text[end..])
}
