// Package tokenizer turns text into token ids and back as Hugging Face's tokenizers do.
//
// New reads the files of a model whose tokenizer is byte-pair encoding: tokenizer.json, or else tekken.json (Mistral),
// or else tokenizer.model (SentencePiece), and the configuration files beside it as transformers 5 reads them.
// Tokenizer.Encode takes a text through these steps:
//
//	added tokens (</s>, <|im_start|>) ─▶ normalizer ─▶ splitter (words) ─▶ bpe (ids) ─▶ affixes (BOS, EOS)
//
// Tokenizer.Decode goes back through the decoder; a Stream decodes token by token while a model generates.
//
// Of this module the package imports only its own subpackages and jsontype, so it needs no model. It refuses, by name,
// every component and key of tokenizer.json that it does not know: to leave one out would give other
// ids without a word. Its time is O(n log n) in the length of a text, whatever the text. A tokenizer that could make a
// text very long is refused when it is read.
package tokenizer
