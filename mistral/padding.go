package mistral

// Every shape has to be compiled, so lengths are rounded up to a few values.

// paddedLength returns the length that n tokens are padded to: 64, 96, 128, 192, 256, ...
func paddedLength(n int) int {
	return roundUpHalfSteps(n, 64)
}

// roundUpHalfSteps returns the smallest of least, least*3/2, least*2, least*3, least*4, ... that is at least n.
func roundUpHalfSteps(n, least int) int {
	p := powerOfTwo(n, least)
	if middle := p / 4 * 3; middle >= least && n <= middle {
		return middle
	}
	return p
}

// powerOfTwo returns the smallest of least, least*2, least*4, ... that is at least n.
func powerOfTwo(n, least int) int {
	p := least
	for p < n {
		p *= 2
	}
	return p
}

// roundUpToMultiple returns the smallest multiple of step that is at least n.
func roundUpToMultiple(n, step int) int { return (n + step - 1) / step * step }
