//! `uniffi-bindgen generate LIBRARY --language kotlin|swift|python --out-dir FOLDER`: bindings from a built library.

fn main() {
    uniffi::uniffi_bindgen_main();
}
