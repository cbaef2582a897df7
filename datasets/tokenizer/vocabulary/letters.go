package vocabulary

import "strings"

// Letters returns the letters that byte-level BPE writes for the 256 byte values, so that vocabulary files need no
// white space or control characters: a printable Latin-1 character stands for itself, and U+0100+n for the n-th other
// byte (GPT-2's table).
func Letters() (letters [256]rune) {
	next := rune(0x100)
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			letters[b] = rune(b)
			continue
		}
		letters[b] = next
		next++
	}
	return letters
}

// Speller returns a function that writes each byte of a text as its letter.
func Speller() func(text string) string {
	letters := Letters()
	return func(text string) string {
		var b strings.Builder
		for i := range len(text) {
			b.WriteRune(letters[text[i]])
		}
		return b.String()
	}
}

// Bytes is the inverse of Letters.
func Bytes() map[rune]byte {
	inverse := make(map[rune]byte, 256)
	for b, letter := range Letters() {
		inverse[letter] = byte(b)
	}
	return inverse
}

// Spelled turns the letters of a byte-level token into bytes; false when a character stands for no byte.
func Spelled(inverse map[rune]byte, text string) (string, bool) {
	raw := make([]byte, 0, len(text))
	for _, letter := range text {
		b, ok := inverse[letter]
		if !ok {
			return "", false
		}
		raw = append(raw, b)
	}
	return string(raw), true
}
