//! Puts the components where the packages of `artifacts` and `composed` take them from: see `.ci/package`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (file, bytes) in [
        ("artifacts/prebuilt/engine.wasm", strongroom_artifacts::ENGINE),
        ("artifacts/prebuilt/policy.wasm", strongroom_artifacts::POLICY),
        ("composed/prebuilt/strongroom.wasm", strongroom_composed::COMMAND),
    ] {
        let file = host.join(file);
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(file, bytes)?;
    }
    Ok(())
}
