//! Texts as Python hands them over.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyString};

/// A text that Python owns; its bytes are not copied.
pub(crate) enum Text {
    /// A `str`.
    Str(PyBackedStr),
    /// A `bytes` object, or a `str` that has no UTF-8.
    Bytes(PyBackedBytes),
    /// `None`: a row without a text.
    Nothing,
}

impl Text {
    /// The bytes, in UTF-8 where it is a `str`.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Text::Str(text) => text.as_bytes(),
            Text::Bytes(bytes) => bytes,
            Text::Nothing => b"",
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Text::Nothing);
        }
        if let Ok(text) = object.cast::<PyString>() {
            if let Ok(text) = text.extract::<PyBackedStr>() {
                return Ok(Text::Str(text));
            }
            // Lone surrogates stand for bytes that were no UTF-8. What Python says of them would quote the text.
            let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
            return Ok(Text::Bytes(encoded.cast_into::<PyBytes>()?.into()));
        }
        match object.cast::<PyBytes>() {
            Ok(bytes) => Ok(Text::Bytes(bytes.to_owned().into())),
            Err(_) => {
                let found = object.get_type();
                let name = found.name()?;
                Err(PyTypeError::new_err(format!("a text is a str or bytes, not {name}")))
            }
        }
    }
}
