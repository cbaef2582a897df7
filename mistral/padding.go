package mistral

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// paddedLength returns what n tokens are padded to, so that few shapes are compiled: 64, 96, 128, 192, 256, ...
func paddedLength(n int) int {
	return roundUpHalfSteps(n, 64)
}

// roundedUp returns the smallest of least, least*3/2, least*2, least*3, least*4, ... that is at least n.
func roundUpHalfSteps(n, least int) int {
	p := powerOfTwo(n, least)
	if middle := p / 4 * 3; middle >= least && n <= middle {
		return middle
	}
	return p
}

// powerOfTwo returns the smallest power of two that is at least n and least.
func powerOfTwo(n, least int) int {
	p := least
	for p < n {
		p *= 2
	}
	return p
}

// multiple returns the smallest multiple of step that is at least n.
func roundUpToMultiple(n, step int) int { return (n + step - 1) / step * step }
