//! Hostile plugins as text, for what no compiler writes.

const TABLE_BOMB: &str = r#"(component
    (core module $m
        (table 1 funcref)
        (func (export "run") (result i32)
            (loop $again (drop (table.grow 0 (ref.null func) (i32.const 10000))) (br $again))
            unreachable))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

const LARGE_FROM_THE_START: &str = r#"(component
    (core module $m
        (memory 5000)
        (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

const BUSY_FROM_THE_START: &str = r#"(component
    (core module $m
        (func $start (loop $again (br $again)))
        (start $start)
        (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

/// Ten instances.
pub const TEN_INSTANCES: &str = r#"(component
    (core module $m (memory 1) (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (core instance $i1 (instantiate $m)) (core instance $i2 (instantiate $m)) (core instance $i3 (instantiate $m))
    (core instance $i4 (instantiate $m)) (core instance $i5 (instantiate $m)) (core instance $i6 (instantiate $m))
    (core instance $i7 (instantiate $m)) (core instance $i8 (instantiate $m)) (core instance $i9 (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

/// Text, and what it tries.
pub const ATTACKS: [(&str, &str); 3] = [
    (TABLE_BOMB, "a table that grows without end"),
    (LARGE_FROM_THE_START, "312 MiB of memory before it runs at all"),
    (BUSY_FROM_THE_START, "a loop in the start function, before it runs at all"),
];
