//! Selectors: the table of the matching rules, and two oracles (regular expressions, an expander).

use std::collections::HashSet;

use proptest::prelude::*;
use regex::Regex;
use uritemplate::UriTemplate;

use super::*;

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn topics_fit_templates_as_the_table_says() {
    // Template, topics that fit, topics that do not.
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "a/{x}",
            &["a/", "a/b", "a/b,c", "a/%2F", "a/{x}"],
            &["a", "a/b/c", "a/:", "a/?", "a/é", "a/%2", "b/a/", "a/{y}"],
        ),
        ("a/{+x}", &["a/", "a/b/c", "a/b?c#d", "a/%41'"], &["a", "a/é", "a/%4", "a/ ", "a/\""]),
        ("a{#x}", &["a", "a#", "a#b/c"], &["ab", "a##é"]),
        ("a{.x}", &["a", "a.", "a.b", "a.b.c"], &["ab", "a/b"]),
        ("a{/x}", &["a", "a/", "a/b"], &["a/b/c", "ab", "a/b=c"]),
        ("a{/x,y}", &["a", "a/b", "a/b/c", "a//"], &["a/b/c/d", "a/b=c"]),
        ("a{/x*}", &["a", "a/b/c/d/e", "a/k=v/l=w"], &["ab", "a/:"]),
        ("a{;x,y}", &["a", "a;x=1;y=2", "a;x", "a;z=1"], &["a;x=1;y=2;z=3", "a?x"]),
        ("a{?x}", &["a", "a?x=1", "a?other=1", "a?"], &["a?x=1&y=2", "a&x=1", "a?x=/"]),
        ("a{?x,y}", &["a?x=1&y=2", "a?&"], &["a?x=1&y=2&z=3"]),
        ("a?b=1{&x*}", &["a?b=1", "a?b=1&c=2&d=3"], &["a?b=2", "a?b=1c"]),
        ("{x}", &["", "b", "b,c,d"], &["b=c"]),
        ("{x,y*}", &["b", "b,k=v", "k=v"], &["b/c"]),
        ("{x:3}", &["abcdef"], &["abc/"]),
        ("{x}-{y}", &["-", "a-b", "a-b-c", "--"], &["ab"]),
        ("{x}{y}", &["", "ab"], &["a/b"]),
        ("{+x}/end", &["/end", "a/end/end", "a/b/end"], &["a/end/", "end"]),
        ("é/{x}", &["é/1"], &["%C3%A9/1"]),
    ];
    for (template, fitting, foreign) in cases {
        let selector = selector(template);
        assert!(matches!(selector, Selector::Template(_)), "{template} is no template");
        for topic in *fitting {
            assert!(selector.matches(topic), "{topic} does not fit {template}");
        }
        for topic in *foreign {
            assert!(!selector.matches(topic), "{topic} fits {template}");
        }
    }
}

#[test]
fn what_is_no_valid_template_is_an_exact_topic() {
    let texts = [
        "plain",
        "a b",
        "{",
        "}",
        "a}",
        "{}",
        "{x",
        "x}{",
        "{x y}",
        "{=x}",
        "{,x}",
        "{!x}",
        "{@x}",
        "{|x}",
        "{x,}",
        "{,}",
        "{.}",
        "{x..y}",
        "{.x.}",
        "{x:}",
        "{x:0}",
        "{x:03}",
        "{x:10000}",
        "{x:3*}",
        "{x**}",
        "{x-y}",
        "{é}",
        "{x%4}",
        "it's/{x}",
        "a b/{x}",
        "50%/{x}",
        "<{x}>",
        "{{x}}",
        "{x}\u{fdd0}",
        "{x}\u{fffe}",
        "{x}\u{1ffff}",
    ];
    for text in texts {
        let selector = selector(text);
        assert_eq!(selector, Selector::Exact(text.into()));
        assert!(selector.matches(text), "{text}");
        assert!(!selector.matches("x"), "{text}");
    }
}

#[test]
fn valid_templates_of_all_levels_are_recognised() {
    let texts = [
        "{x}",
        "{_}",
        "{x.y.z}",
        "{%41}",
        "{x:1}",
        "{x:9999}",
        "{+x,y}",
        "{#x:6,y*}",
        "{.x*}",
        "{/x,y:1}",
        "{;x,y*}",
        "{?x,y}",
        "{&x}",
        "~!#$&()*+,;:=?@[]_{x}",
        "%41{x}",
        "é\u{e000}\u{10000}{x}",
        "{0}",
    ];
    for text in texts {
        assert!(matches!(selector(text), Selector::Template(_)), "{text}");
        assert!(selector(text).matches(text), "{text}");
    }
}

#[test]
fn the_star_matches_everything() {
    assert_eq!(selector("*"), Selector::Any);
    for topic in ["", "a", "corecast:all", "é/{x}", "*"] {
        assert!(selector("*").matches(topic));
    }
    assert_eq!(selector("**"), Selector::Exact("**".into()));
}

#[test]
fn selectors_are_bounded() {
    let long = "a".repeat(TOPIC_BYTES_MAX);
    let variables = |count: usize| "{x}".repeat(count);
    let list = |count: usize| format!("{{{}}}", vec!["x"; count].join(","));
    let cases = [
        (String::new(), Err(SelectorError::Empty)),
        (long.clone(), Ok(())),
        (format!("{long}a"), Err(SelectorError::TooLong)),
        ("a\nb".into(), Err(SelectorError::Control)),
        ("a\u{7f}".into(), Err(SelectorError::Control)),
        ("a\u{9f}".into(), Err(SelectorError::Control)),
        (variables(SELECTOR_VARIABLES_MAX), Ok(())),
        (variables(SELECTOR_VARIABLES_MAX + 1), Err(SelectorError::TooComplex)),
        (list(SELECTOR_VARIABLES_MAX), Ok(())),
        (list(SELECTOR_VARIABLES_MAX + 1), Err(SelectorError::TooComplex)),
    ];
    for (text, expected) in cases {
        assert_eq!(Selector::parse(&text).map(drop), expected, "{text}");
    }
}

#[test]
fn a_topic_over_the_bound_fits_no_template() {
    assert!(selector("{x}").matches(&"a".repeat(TOPIC_BYTES_MAX)));
    assert!(!selector("{x}").matches(&"a".repeat(TOPIC_BYTES_MAX + 1)));
}

#[test]
fn equal_are_selectors_of_the_same_kind_and_text() {
    let same: HashSet<Selector> =
        ["a/{x}", "a/{x}", "a/{y}", "a", "a", "*"].into_iter().map(selector).collect();
    assert_eq!(same.len(), 4);
    assert_ne!(selector("a/{x}"), Selector::Exact("a/{x}".into()));
}

#[test]
fn the_literal_prefix_is_all_before_the_first_variable() {
    for (text, prefix) in [("*", ""), ("a/b", "a/b"), ("a/{x}/b", "a/"), ("{x}/b", ""), ("a}", "a}")] {
        assert_eq!(selector(text).literal_prefix(), prefix);
    }
}

/// The regular expression of the reference hub, as the table in `matching` describes it.
fn regular_expression(template: &str) -> Regex {
    let mut pattern = String::from("^");
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (inner, after) = after.split_once('}').unwrap();
        pattern += &regex::escape(literal);
        pattern += &expression_pattern(inner);
        rest = after;
    }
    Regex::new(&(pattern + &regex::escape(rest) + "$")).unwrap()
}

fn expression_pattern(inner: &str) -> String {
    let operator = inner.chars().next().filter(|c| "+#./;?&".contains(*c));
    let list = inner.trim_start_matches(['+', '#', '.', '/', ';', '?', '&']);
    let (prefix, separator, plain, named) = match operator {
        None => ("", ",", true, false),
        Some('+') => ("", ",", false, false),
        Some('#') => ("#", ",", false, false),
        Some('.') => (r"\.", r"\.", true, false),
        Some('/') => ("/", "/", true, false),
        Some(';') => (";", ";", true, true),
        Some('?') => (r"\?", "&", true, true),
        Some(_) => ("&", "&", true, true),
    };
    let exploded = list.contains('*');
    let equals = if named || exploded { "=" } else { "" };
    let class = if plain {
        format!(r"A-Za-z0-9\-._~,{equals}")
    } else {
        r"A-Za-z0-9\-._~:/?#\[\]@!$\&'()*+,;=".to_owned()
    };
    let value = format!("(?:[{class}]|%[0-9A-Fa-f]{{2}})*");
    let more = if exploded { "*".to_owned() } else { format!("{{0,{}}}", list.split(',').count() - 1) };
    format!("(?:{prefix}{value}(?:{separator}{value}){more})?")
}

fn any_expression() -> impl Strategy<Value = String> {
    let variable =
        ("[xy]", prop_oneof![Just(""), Just("*"), Just(":3")]).prop_map(|(name, suffix)| name + suffix);
    ("[+#./;?&]?", prop::collection::vec(variable, 1..4))
        .prop_map(|(operator, variables)| format!("{{{operator}{}}}", variables.join(",")))
}

fn any_template() -> impl Strategy<Value = String> {
    let part = prop_oneof![any_expression(), "[ab/,.=]{1,2}".prop_map(String::from)];
    prop::collection::vec(part, 0..4)
        .prop_flat_map(|parts| any_expression().prop_map(move |expression| parts.concat() + &expression))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn matching_agrees_with_the_regular_expression(
        template in any_template(),
        topics in prop::collection::vec("[ab/,.;?&=#:]{0,6}|(%4[1g]|[ab/,.;?&=#é]){0,6}", 20),
    ) {
        let oracle = regular_expression(&template);
        let selector = selector(&template);
        for topic in topics {
            prop_assert_eq!(selector.matches(&topic), oracle.is_match(&topic), "{} on {}", template, topic);
        }
    }

    #[test]
    fn an_expansion_fits_its_template(template in any_template(), x in "[ -~]{0,4}", list in prop::collection::vec("[ -~]{1,3}", 0..3)) {
        let expansion = UriTemplate::new(&template).set("x", x.as_str()).set("y", list).build();
        prop_assert!(selector(&template).matches(&expansion), "{} does not fit {}", expansion, template);
    }

    #[test]
    fn any_text_is_parsed_or_refused_and_matches_itself(text in "\\PC{0,20}|[{}a,*:.%4]{0,20}", topic in "\\PC{0,20}") {
        if let Ok(selector) = Selector::parse(&text) {
            prop_assert_eq!(selector.as_str(), &text);
            prop_assert!(selector.matches(&text));
            prop_assert!(!selector.matches(&topic) || topic.starts_with(selector.literal_prefix()));
        }
    }
}
