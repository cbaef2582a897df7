package normalform

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// TestManyMarks checks that runs of marks are sorted and composed whole, and that no U+034F is inserted.
func TestManyMarks(t *testing.T) {
	below, above := strings.Repeat("\u0316", 20), strings.Repeat("\u0301", 20)
	if got, want := Of(norm.NFD, "e"+above+below), "e"+below+above; got != want {
		t.Errorf("NFD: %+q, want %+q", got, want)
	}
	if got, want := Of(norm.NFC, "e"+above+below+"x"), "é"+below+above[2:]+"x"; got != want {
		t.Errorf("NFC: %+q, want %+q", got, want)
	}
	for _, text := range []string{"", "e\u0301", "ﬁ ①", "각", "\u0958", "a\u0316\u0301"} {
		long := text + "a" + above + above
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			if got, want := Of(form, long), form.String(text)+Of(form, "a"+above+above); got != want {
				t.Errorf("form %d of %+q: %+q, want %+q", form, text, got, want)
			}
		}
	}
}

// TestLater checks that characters which Unicode has since version 10 do not decompose.
func TestLater(t *testing.T) {
	if got := Of(norm.NFKC, "a\u32FFﬁ"); got != "a\u32FFfi" {
		t.Errorf("%+q", got)
	}
}
