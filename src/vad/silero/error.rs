use std::path::PathBuf;

/// Why Silero's weights could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SileroError {
    /// The file could not be read.
    #[error("cannot read the Silero weights {}: check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The bytes are not an ONNX model.
    #[error("the Silero weights are not a readable ONNX file ({what}): fetch silero_vad_16k_op15.onnx again")]
    NotOnnx {
        /// What is wrong with them.
        what: &'static str,
    },
    /// A tensor of the network is not in the file.
    #[error(
        "the ONNX file has no float tensor {name}: it is not silero_vad_16k_op15.onnx, the form needed here"
    )]
    MissingTensor {
        /// The tensor's name.
        name: &'static str,
    },
    /// A tensor has another shape than Silero v6's 16 kHz network.
    #[error(
        "tensor {name} has shape {found:?} where Silero v6 at 16 kHz has {expected:?}: use silero_vad_16k_op15.onnx"
    )]
    Shape {
        /// The tensor's name.
        name: &'static str,
        /// The shape of the network implemented here.
        expected: &'static [u64],
        /// The shape in the file.
        found: Vec<u64>,
    },
    /// A tensor's bytes do not match its shape.
    #[error(
        "tensor {name} holds {found} bytes where its shape needs {expected}: fetch silero_vad_16k_op15.onnx again"
    )]
    Length {
        /// The tensor's name.
        name: &'static str,
        /// 4 bytes for each value of the shape.
        expected: usize,
        /// Bytes in the file.
        found: usize,
    },
    /// A weight is NaN or infinite.
    #[error("tensor {name} holds NaN or infinity: fetch silero_vad_16k_op15.onnx again")]
    NotFinite {
        /// The tensor's name.
        name: &'static str,
    },
    /// The front end is not the Fourier transform computed here.
    #[error(
        "the model's front end is not a Hann-windowed 256-point DFT: use silero_vad_16k_op15.onnx of Silero v6"
    )]
    FrontEnd,
}
