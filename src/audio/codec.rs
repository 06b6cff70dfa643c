//! Names and kinds of audio codecs, for messages.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::*;

/// Codecs that containers announce and for which there is no decoder here.
const UNDECODED: [(AudioCodecId, &str); 14] = [
    (CODEC_ID_OPUS, "Opus"),
    (CODEC_ID_SPEEX, "Speex"),
    (CODEC_ID_MUSEPACK, "Musepack"),
    (CODEC_ID_AC3, "Dolby AC-3"),
    (CODEC_ID_EAC3, "Dolby E-AC-3"),
    (CODEC_ID_AC4, "Dolby AC-4"),
    (CODEC_ID_TRUEHD, "Dolby TrueHD"),
    (CODEC_ID_DCA, "DTS"),
    (CODEC_ID_WMA, "Windows Media"),
    (CODEC_ID_WAVPACK, "WavPack"),
    (CODEC_ID_MONKEYS_AUDIO, "Monkey's Audio"),
    (CODEC_ID_TTA, "True Audio"),
    (CODEC_ID_SBC, "Bluetooth SBC"),
    (CODEC_ID_APTX, "aptX"),
];

/// The codec's usual name, or its number in hexadecimal.
pub(super) fn codec_name(id: AudioCodecId) -> String {
    let known = UNDECODED.iter().find(|(codec, _)| *codec == id).map(|(_, name)| *name);
    let decoded = || symphonia::default::get_codecs().get_audio_decoder(id).map(|d| d.codec.info.long_name);
    known.or_else(decoded).map_or_else(|| format!("codec {id}"), str::to_owned)
}

/// Whether a decoder gives back exactly the frames that were encoded.
pub(super) fn is_lossless(id: AudioCodecId) -> bool {
    !matches!(
        id,
        CODEC_ID_MP1
            | CODEC_ID_MP2
            | CODEC_ID_MP3
            | CODEC_ID_AAC
            | CODEC_ID_VORBIS
            | CODEC_ID_ADPCM_MS
            | CODEC_ID_ADPCM_IMA_WAV
    )
}
