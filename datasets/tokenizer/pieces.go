package tokenizer

import "strings"

// Pieces are the texts that the tokens of a row add to it, one by one, for looking at a row: joined they are Decode(ids, false). A token
// that ends within a character has the piece "", and the character belongs to the token that completes it. The row is decoded anew for
// each token, so this is for rows, not for books.
func (t *Tokenizer) Pieces(ids []int32) []string {
	pieces := make([]string, len(ids))
	given := ""
	for i := range ids {
		text := t.Decode(ids[:i+1], false)
		if strings.HasSuffix(text, "\uFFFD") && i+1 < len(ids) || !strings.HasPrefix(text, given) {
			continue
		}
		pieces[i], given = text[len(given):], text
	}
	return pieces
}
