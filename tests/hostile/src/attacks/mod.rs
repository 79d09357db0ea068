//! Attacks that need nothing but a processor, memory and something to print to.

/// Declares the files of attacks and finds one by its name.
macro_rules! attacks {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// Tries the attack of this name, and says what came of it.
        pub(crate) fn run(name: &str) -> Option<String> {
            match name {
                $(stringify!($name) => Some($name::run()),)*
                _ => None,
            }
        }
    };
}
pub(crate) use attacks;

attacks![endless_loop, endless_recursion, memory_bomb, huge_panic, error_flood, escapes, trap];
