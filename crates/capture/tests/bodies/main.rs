//! What each source gives, for everything that a value or a body can be.

mod documented;
mod properties;
mod request;
mod table;
mod together;
