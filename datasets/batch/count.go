package batch

// ResponseTokens counts the scored tokens of each response.
func (b Batch) ResponseTokens() []int {
	counts := make([]int, b.Responses)
	for _, owner := range b.Owner {
		if owner >= 0 {
			counts[owner]++
		}
	}
	return counts
}

// LossTerms counts what the mean loss of a batch is taken over: pairs, or the scored tokens of supervised rows.
func (b Batch) LossTerms() int {
	if b.ChosenSafe != nil {
		return len(b.IDs)
	}
	tokens := 0
	for _, n := range b.ResponseTokens() {
		tokens += n
	}
	return tokens
}
