// Package gguf opens GGUF files of the llama architecture and presents them as a Hugging Face model.
//
// A File lists its tensors under their Hugging Face names and dequantises them to float32 as they are read. It
// builds the folder's other files (config.json, generation_config.json, tokenizer.json, tokenizer_config.json,
// chat_template.jinja) from the metadata.
//
// Files are not trusted: every length in the header is checked against the size of the file before the library that
// parses it runs, and names, types, shapes and offsets are checked afterwards. Other architectures, mixtures of
// experts, biases, rope factors, other rotary scalings, quantisations that cannot be decoded and unknown
// pre-tokenizers are refused by name.
//
// The format itself is read by go-huggingface.
package gguf
