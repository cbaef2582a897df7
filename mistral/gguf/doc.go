// Package gguf opens GGUF files of the llama architecture and presents them as a Hugging Face model.
//
// A File lists its tensors under their Hugging Face names and dequantises them to float32 as they are read. It
// builds the folder's other files (config.json, generation_config.json, tokenizer.json, tokenizer_config.json,
// chat_template.jinja) from the metadata.
//
// Files are not trusted: every length in the header is checked against the size of the file before the library that
// parses it runs, and names, types, shapes and offsets are checked by the rules of llama.cpp. Other architectures,
// mixtures of experts, biases, quantisations that cannot be decoded, unknown pre-tokenizers, and metadata that changes
// the computation and is not read here are refused by name.
//
// The format itself is read by go-huggingface.
package gguf
