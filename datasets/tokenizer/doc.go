// Package tokenizer turns text into token ids and back as Hugging Face's tokenizers do.
//
// New reads the tokenizer.json of a BPE model. Two families are supported: SentencePiece-like models with byte fallback
// (Mistral, Llama 2) and byte-level models (GPT-2, Llama 3, SmolLM2). Tokenizer.Encode takes a text through these
// steps:
//
//	added tokens (</s>, <|im_start|>) ─▶ normalizer ─▶ splitter (words) ─▶ bpe (ids) ─▶ affixes (BOS, EOS)
//
// Tokenizer.Decode goes back through the decoder; a Stream decodes token by token while a model generates.
//
// The package imports nothing of this module. It refuses, by name, every component and key of tokenizer.json that it
// does not know: to leave one out would give other ids without a word. Its time is O(n log n) in the length of a text,
// whatever the text.
package tokenizer
