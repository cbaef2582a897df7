package matcher

import (
	"unicode"
	"unicode/utf8"
)

// Token is a token that is found in the text before the model sees it, such as </s> or <|im_start|>.
type Token struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // matches only where no word character is beside it
	LStrip     bool   `json:"lstrip"`      // the match includes the white space before it
	RStrip     bool   `json:"rstrip"`      // the match includes the white space after it
	Normalized bool   `json:"normalized"`  // its normalised text is matched in the normalised text
	Special    bool   `json:"special"`     // Decode leaves it out on request
	Verbatim   bool   `json:"-"`           // with Normalized: the text itself is matched, not its normal form

	length int // bytes of the text that is matched
}

// wordBefore reports whether text ends with a word character.
func wordBefore(text string) bool {
	r, _ := utf8.DecodeLastRuneInString(text)
	return text != "" && IsWord(r)
}

// wordAfter reports whether text begins with a word character.
func wordAfter(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return text != "" && IsWord(r)
}

// IsWord reports whether a character is a word character, the \w of regular expressions over Unicode.
func IsWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.Is(unicode.Nd, r) || unicode.Is(unicode.Nl, r) ||
		unicode.Is(unicode.Pc, r) || unicode.Is(unicode.Other_Alphabetic, r) || unicode.Is(unicode.Join_Control, r)
}
