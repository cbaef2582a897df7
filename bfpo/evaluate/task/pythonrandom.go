package task

import (
	"crypto/sha512"
	"errors"
	"math/bits"
	"slices"
)

// pythonRandom is Python's random.Random, seeded with a text: the Mersenne Twister MT19937.
type pythonRandom struct {
	state [624]uint32
	next  int
}

// newPythonRandom seeds as CPython does. The bytes of the text followed by its SHA-512 form a big-endian number,
// whose 32-bit words, the lowest first, are the key of init_by_array.
func newPythonRandom(text string) *pythonRandom {
	sum := sha512.Sum512([]byte(text))
	number := append([]byte(text), sum[:]...)
	slices.Reverse(number)
	var key []uint32
	for i, b := range number {
		if i%4 == 0 {
			key = append(key, 0)
		}
		key[i/4] |= uint32(b) << (8 * (i % 4))
	}
	for len(key) > 1 && key[len(key)-1] == 0 {
		key = key[:len(key)-1]
	}
	r := &pythonRandom{}
	r.seed(key)
	return r
}

// seed is the function init_by_array of Matsumoto and Nishimura.
func (r *pythonRandom) seed(key []uint32) {
	const n = len(r.state)
	s := &r.state
	s[0] = 19650218
	for i := 1; i < n; i++ {
		s[i] = 1812433253*(s[i-1]^s[i-1]>>30) + uint32(i)
	}
	i, j := 1, 0
	step := func() {
		if i++; i == n {
			s[0], i = s[n-1], 1
		}
	}
	for range max(n, len(key)) {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1664525) + key[j] + uint32(j)
		step()
		j = (j + 1) % len(key)
	}
	for range n - 1 {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1566083941) - uint32(i)
		step()
	}
	s[0], r.next = 1<<31, n
}

// word returns 32 random bits.
func (r *pythonRandom) word() uint32 {
	const n, m = len(r.state), 397
	s := &r.state
	if r.next == n {
		for i := range n {
			y := s[i]&(1<<31) | s[(i+1)%n]&(1<<31-1)
			s[i] = s[(i+m)%n] ^ y>>1 ^ y&1*0x9908b0df
		}
		r.next = 0
	}
	y := s[r.next]
	r.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// below returns a random number below n. Like randrange, it draws as many bits as n has until they are below n.
func (r *pythonRandom) below(n int) int {
	for {
		if k := int(r.word() >> (32 - bits.Len(uint(n)))); k < n {
			return k
		}
	}
}

// pythonShuffle is the template function python_shuffle(list, seed). It returns a copy of the list, shuffled as
// random.Random(seed).shuffle does.
func pythonShuffle(args []any) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("python_shuffle takes a list and a text")
	}
	list, isList := args[0].([]any)
	seed, isText := args[1].(string)
	if !isList || !isText {
		return nil, errors.New("python_shuffle takes a list and a text")
	}
	list = slices.Clone(list)
	r := newPythonRandom(seed)
	for i := len(list) - 1; i > 0; i-- {
		j := r.below(i + 1)
		list[i], list[j] = list[j], list[i]
	}
	return list, nil
}
