package mistral

import "slices"

// To compute a few tokens of a row at once takes hardly longer than one: most of the time goes into reading the weights. So where the last tokens of
// a text have stood in it before, what followed there is taken for a draft of what follows now (Saxena 2023, "prompt lookup decoding"; Leviathan et
// al. 2023, arXiv 2211.17192). Each token is still drawn from the network's own logits; the draft saves a step where it says the same.

// draftTokens is the length of a draft. A step of more rows takes longer with drafts than without, and with four rows on a processor by more than drafts
// save in chats: draftRows have them at most. Answers of fewer than draftedTokens are not worth a second program.
const draftTokens, draftRows, draftedTokens = 3, 2, 32

// drafting tells whether the rows are few enough.
func (b *generation) drafting() bool {
	return len(b.slots) <= draftRows && b.options.MaxTokens >= draftedTokens
}

// drafts are those of all slots, and n is how many tokens of each row the next step computes.
func (b *generation) drafts() (drafts [][]int32, n int) {
	drafts, n = make([][]int32, len(b.slots)), 1
	if !b.drafting() {
		return drafts, n
	}
	for i, s := range b.slots {
		if s == nil {
			continue
		}
		if len(s.text)+draftTokens > b.length { // a longer cache for what may not come would mean other programs
			return make([][]int32, len(b.slots)), 1
		}
		if drafts[i] = draft(s.text); len(drafts[i]) > 0 {
			n = 1 + draftTokens
		}
	}
	return drafts, n
}

// draft is what followed the last three tokens of a text, or the last two, where they have stood before the last time; a text that goes round and
// round is taken to go on so.
func draft(text []int32) []int32 {
	for n := 3; n >= 2; n-- {
		for end := len(text) - 1; end >= n; end-- {
			if !slices.Equal(text[end-n:end], text[len(text)-n:]) {
				continue
			}
			follows := slices.Clone(text[end:])
			for len(follows) < draftTokens {
				follows = append(follows, follows[len(follows)+end-len(text)])
			}
			return follows[:draftTokens]
		}
	}
	return nil
}
