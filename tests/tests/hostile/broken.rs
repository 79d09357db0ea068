//! Files that are no component, or none of this place, given as plugin and as engine.

use std::sync::Arc;

use strongroom::Error;

use crate::page::Place;
use crate::plugins::{builder, run};
use crate::policies::policy;
use crate::text::TEN_INSTANCES;
use crate::{Attack, Seen, common};

const OTHER_VERSION: &str = r#"(component
    (import "strongroom:kv/kv-store@0.2.0" (instance (export "open" (func))))
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

const OTHER_SHAPE: &str = r#"(component
    (import "strongroom:kv/kv-store@0.1.0" (instance (export "open" (func (result u64)))))
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

const GREEDY: &str = r#"(component
    (import "wasi:http/outgoing-handler@0.2.0" (instance (export "handle" (func))))
    (import "strongroom:kv/kv-sink@0.1.0" (instance (export "create" (func))))
    (import "nobody:grants/this@1.0.0" (instance (export "it" (func))))
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

const POLICY_OF_ANOTHER_VERSION: &str = r#"(component
    (component $retain)
    (instance $i (instantiate $retain))
    (export "strongroom:policy/retain@0.9.0" (instance $i)))"#;

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let whole = wat::parse_str(OTHER_VERSION).unwrap();
    let serialized =
        wasmtime::Engine::default().precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
    vec![
        ("an empty file", Vec::new()),
        ("5,000 random bytes", common::noise(1, 5000)),
        ("a component as text", b"(component)".to_vec()),
        ("a core module", wat::parse_str("(module)").unwrap()),
        ("a component cut off in the middle", whole[..whole.len() / 2].to_vec()),
        ("machine code that was compiled before, which would run unchecked", serialized),
        ("a component that exports nothing", wat::parse_str("(component)").unwrap()),
        ("a component compiled for another version of the WIT", wat::parse_str(OTHER_VERSION).unwrap()),
        ("a component whose `kv-store` has another shape", wat::parse_str(OTHER_SHAPE).unwrap()),
        ("a component that wants more than is granted", wat::parse_str(GREEDY).unwrap()),
    ]
}

/// It is not built, or not run, and this is why.
fn refused<T>(built: Result<T, Error>) -> Seen {
    match built {
        Ok(_) => Seen { text: "ESCAPED: it was taken".to_owned(), exit: 0 },
        Err(e) => Seen::of_error(&e),
    }
}

pub fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (tried, bytes) in files() {
        let bytes: Arc<[u8]> = bytes.into();
        let (other, another) = (Arc::clone(&bytes), Arc::clone(&bytes));
        let plugin = Box::new(move |_: &_| refused(builder("hostile", &*bytes).build()));
        attacks.push(Attack { place: Place::Plugin, tried, run: plugin });
        let policy = move |_: &_| refused(policy().bytes("hostile", &another));
        attacks.push(Attack { place: Place::Policy, tried, run: Box::new(policy) });
        let engine = move |_: &_| refused(common::builder().component(&*other).build());
        attacks.push(Attack { place: Place::Engine, tried, run: Box::new(engine) });
    }
    attacks.push(Attack {
        place: Place::Policy,
        tried: "a policy of another version",
        run: Box::new(|_| {
            refused(policy().bytes("hostile", &wat::parse_str(POLICY_OF_ANOTHER_VERSION).unwrap()))
        }),
    });
    attacks.push(Attack {
        place: Place::Policy,
        tried: "the engine itself as a policy",
        run: Box::new(|_| refused(policy().bytes("hostile", strongroom::ENGINE))),
    });
    attacks.push(Attack {
        place: Place::Plugin,
        tried: "the engine itself as a plugin",
        run: Box::new(|_| refused(builder("hostile", strongroom::ENGINE).build())),
    });
    attacks.push(Attack {
        place: Place::Plugin,
        tried: "a file larger than its budget",
        run: Box::new(|_| {
            let small = crate::plugins::budgets().component_bytes(10_000);
            refused(builder("hostile", strongroom::ENGINE).budgets(small).build())
        }),
    });
    attacks.push(Attack {
        place: Place::Plugin,
        tried: "more instances than its budget",
        run: Box::new(|world| {
            let few = crate::plugins::budgets().instances(5);
            let plugin = builder("hostile", wat::parse_str(TEN_INSTANCES).unwrap()).budgets(few);
            run(&plugin.build().unwrap(), world, "")
        }),
    });
    attacks
}
