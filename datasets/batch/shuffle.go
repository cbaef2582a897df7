package batch

import "math/bits"

// EpochOrder returns the order in which an epoch visits n rows: numpy.random.default_rng([seed, epoch]).permutation(n),
// bit for bit.
//
// Epoch 0 equals default_rng(seed).permutation(n), which is the order of datasets.Dataset.shuffle(seed) in Python:
// numpy pads a short seed with zeros.
func EpochOrder(n int, seed uint64, epoch int) []int {
	r := newPCG64(append(words(seed), words(uint64(epoch))...))
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := r.bounded(uint32(i))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// words returns v as 32-bit words, the low word first; a high word of zero is left out.
func words(v uint64) []uint32 {
	if v>>32 == 0 {
		return []uint32{uint32(v)}
	}
	return []uint32{uint32(v), uint32(v >> 32)}
}

// seedWords is numpy's SeedSequence(entropy).generate_state(8): it mixes the entropy into a pool of four words and
// derives eight words from the pool.
func seedWords(entropy []uint32) [8]uint32 {
	const (
		initA, multA = 0x43b0d7e5, 0x931e8875
		initB, multB = 0x8b51f9dd, 0x58f38ded
		mixL, mixR   = 0xca01f9dd, 0x4973f715
	)
	hash := uint32(initA)
	scramble := func(v uint32) uint32 {
		v ^= hash
		hash *= multA
		v *= hash
		return v ^ v>>16
	}
	mix := func(x, y uint32) uint32 {
		r := mixL*x - mixR*y
		return r ^ r>>16
	}

	var pool [4]uint32
	for i := range pool {
		var v uint32
		if i < len(entropy) {
			v = entropy[i]
		}
		pool[i] = scramble(v)
	}
	for src := range pool {
		for dst := range pool {
			if src != dst {
				pool[dst] = mix(pool[dst], scramble(pool[src]))
			}
		}
	}
	for i := len(pool); i < len(entropy); i++ {
		for dst := range pool {
			pool[dst] = mix(pool[dst], scramble(entropy[i]))
		}
	}

	var out [8]uint32
	hash = initB
	for i := range out {
		v := pool[i%len(pool)] ^ hash
		hash *= multB
		v *= hash
		out[i] = v ^ v>>16
	}
	return out
}

// pcg64 is the PCG XSL-RR 128/64 generator of numpy's default_rng. (math/rand/v2 has the DXSM variant, which gives
// other numbers.)
type pcg64 struct {
	hi, lo       uint64 // state
	incHi, incLo uint64 // increment
	half         uint32 // the unused upper half of the last step's 64 bits
	hasHalf      bool
}

func newPCG64(entropy []uint32) *pcg64 {
	w := seedWords(entropy)
	word := func(i int) uint64 { return uint64(w[2*i]) | uint64(w[2*i+1])<<32 }
	r := &pcg64{incHi: word(2)<<1 | word(3)>>63, incLo: word(3)<<1 | 1}
	r.step()
	var carry uint64
	r.lo, carry = bits.Add64(r.lo, word(1), 0)
	r.hi, _ = bits.Add64(r.hi, word(0), carry)
	r.step()
	return r
}

// step sets state = state*multiplier + increment, modulo 2^128.
func (r *pcg64) step() {
	const multHi, multLo = 0x2360ed051fc65da4, 0x4385df649fccf645
	hi, lo := bits.Mul64(r.lo, multLo)
	hi += r.hi*multLo + r.lo*multHi
	var carry uint64
	r.lo, carry = bits.Add64(lo, r.incLo, 0)
	r.hi, _ = bits.Add64(hi, r.incHi, carry)
}

// next32 returns 32 random bits. One step serves two calls, the lower half first.
func (r *pcg64) next32() uint32 {
	if r.hasHalf {
		r.hasHalf = false
		return r.half
	}
	r.step()
	v := bits.RotateLeft64(r.hi^r.lo, -int(r.hi>>58))
	r.half, r.hasHalf = uint32(v>>32), true
	return uint32(v)
}

// bounded returns a random number in 0..max: the low bits that max needs, drawn again while they exceed it.
func (r *pcg64) bounded(max uint32) uint32 {
	mask := uint32(1)<<bits.Len32(max) - 1
	for {
		if v := r.next32() & mask; v <= max {
			return v
		}
	}
}
