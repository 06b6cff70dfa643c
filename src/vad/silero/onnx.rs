//! Reads the named float tensors of an ONNX file.
//!
//! An ONNX file is one protobuf message. Only its graph's top-level initializers are wanted, so a
//! reader of the wire format is enough: it borrows from the file, checks every length against what
//! is left, and allocates nothing but one small entry per tensor. Tensors whose data is not in
//! little-endian `raw_data` of type float are listed without data.
//!
//! Field numbers, from onnx.proto: `ModelProto.graph` 7; `GraphProto.initializer` 5;
//! `TensorProto.dims` 1, `.data_type` 2, `.name` 8, `.raw_data` 9. The `If` subgraphs of Silero's
//! graph hold no weights.

use super::SileroError;

const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_DIMS: u64 = 1;
const TENSOR_DATA_TYPE: u64 = 2;
const TENSOR_NAME: u64 = 8;
const TENSOR_RAW_DATA: u64 = 9;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;
/// More axes than any Silero tensor has; a longer list is a broken file.
const MAX_AXES: usize = 8;

/// One initializer, borrowed from the file.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    /// The initializer's name.
    pub(super) name: &'a str,
    /// Sizes of its axes, outermost first.
    pub(super) dims: Vec<u64>,
    /// Little-endian `f32` values, row-major; empty if the tensor has another type.
    pub(super) raw: &'a [u8],
}

/// The top-level initializers of the model in `file`, in file order.
pub(super) fn tensors(file: &[u8]) -> Result<Vec<Tensor<'_>>, SileroError> {
    let mut found = Vec::new();
    for field in Fields(file) {
        if let (MODEL_GRAPH, Value::Bytes(graph)) = field? {
            for field in Fields(graph) {
                if let (GRAPH_INITIALIZER, Value::Bytes(tensor)) = field? {
                    found.push(read_tensor(tensor)?);
                }
            }
        }
    }
    Ok(found)
}

fn read_tensor(message: &[u8]) -> Result<Tensor<'_>, SileroError> {
    let mut tensor = Tensor { name: "", dims: Vec::new(), raw: &[] };
    let mut data_type = 0;
    for field in Fields(message) {
        match field? {
            (TENSOR_DIMS, Value::Varint(size)) => push_axis(&mut tensor.dims, size)?,
            // proto3 writers may pack the list into one field.
            (TENSOR_DIMS, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    push_axis(&mut tensor.dims, varint(&mut packed)?)?;
                }
            }
            (TENSOR_DATA_TYPE, Value::Varint(kind)) => data_type = kind,
            (TENSOR_NAME, Value::Bytes(name)) => {
                tensor.name =
                    std::str::from_utf8(name).map_err(|_| malformed("a tensor's name is not UTF-8"))?;
            }
            (TENSOR_RAW_DATA, Value::Bytes(raw)) => tensor.raw = raw,
            _ => {}
        }
    }
    if data_type != FLOAT {
        tensor.raw = &[];
    }
    Ok(tensor)
}

fn push_axis(dims: &mut Vec<u64>, size: u64) -> Result<(), SileroError> {
    if dims.len() == MAX_AXES {
        return Err(malformed("a tensor has more than 8 axes"));
    }
    dims.push(size);
    Ok(())
}

/// A protobuf field's value; fixed-width numbers are skipped over, none is wanted.
#[derive(Debug)]
enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The fields of one protobuf message. After an error it yields nothing more.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), SileroError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = next_field(&mut self.0);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Result<(u64, Value<'a>), SileroError> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => take(rest, 8).map(|_| Value::Fixed)?,
        2 => {
            let len = varint(rest)?;
            Value::Bytes(take(rest, len)?)
        }
        5 => take(rest, 4).map(|_| Value::Fixed)?,
        _ => return Err(malformed("an unknown protobuf wire type")),
    };
    Ok((tag >> 3, value))
}

fn take<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8], SileroError> {
    let len = usize::try_from(len).map_err(|_| malformed("a length beyond the file's end"))?;
    let (head, tail) =
        rest.split_at_checked(len).ok_or_else(|| malformed("a length beyond the file's end"))?;
    *rest = tail;
    Ok(head)
}

fn varint(rest: &mut &[u8]) -> Result<u64, SileroError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or_else(|| malformed("the file ends inside a number"))?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(malformed("a number longer than 64 bits"))
}

fn malformed(what: &'static str) -> SileroError {
    SileroError::NotOnnx { what }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A model with one float tensor `w` of shape [2, 1] and values 1 and -2, behind fields to be skipped.
    fn small_model() -> Vec<u8> {
        let mut raw = Vec::new();
        raw.extend(1.0_f32.to_le_bytes());
        raw.extend((-2.0_f32).to_le_bytes());
        let mut tensor = vec![0x08, 2, 0x08, 1, 0x10, 1, 0x42, 1, b'w', 0x4a, 8];
        tensor.extend(raw);
        let mut graph = vec![0x12, 1, b'g', 0x2a, tensor.len() as u8];
        graph.extend(tensor);
        let mut model = vec![0x08, 8, 0x3a, graph.len() as u8];
        model.extend(graph);
        model
    }

    #[test]
    fn a_tensor_is_found_with_its_shape_and_bytes() {
        let model = small_model();
        let found = tensors(&model).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name, found[0].dims.as_slice(), found[0].raw.len()), ("w", &[2, 1][..], 8));
    }

    #[test]
    fn packed_dimensions_are_read_like_repeated_ones() {
        let tensor = read_tensor(&[0x0a, 3, 2, 0x80, 0x01, 0x10, 1]).unwrap();
        assert_eq!(tensor.dims, [2, 128]);
    }

    #[test]
    fn a_tensor_of_another_type_has_no_data() {
        let tensor = read_tensor(&[0x08, 1, 0x10, 7, 0x4a, 2, 1, 2]).unwrap();
        assert!(tensor.raw.is_empty());
    }

    #[test]
    fn a_cut_inside_a_length_or_number_is_an_error() {
        let model = small_model();
        // After 2 bytes the first field is complete and the message may end there.
        for len in (1..model.len()).filter(|&len| len != 2) {
            assert!(tensors(&model[..len]).is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn a_length_of_many_exabytes_is_an_error_and_allocates_nothing() {
        let huge = [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(tensors(&huge).is_err());
        assert!(tensors(&[0xff; 11]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(found) = tensors(&bytes) {
                prop_assert!(found.iter().map(|t| t.raw.len() + t.dims.len() + t.name.len()).sum::<usize>() <= bytes.len());
            }
        }

        #[test]
        fn mutated_models_are_read_or_refused(at in 0_usize..41, with in any::<u8>()) {
            let mut model = small_model();
            let at = at % model.len();
            model[at] = with;
            if let Ok(found) = tensors(&model) {
                prop_assert!(found.iter().all(|t| t.raw.len() <= model.len() && t.dims.len() <= MAX_AXES));
            }
        }
    }
}
