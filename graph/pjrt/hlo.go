package pjrt

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// instruction is what operationsOf reads of one instruction of a compiled program. The numbers below are those of the fields in XLA's
// HloModuleProto and the messages in it.
type instruction struct {
	opcode, target string // target is that of a custom call
	id             uint64
	shape          array
	operands       []uint64
	contracted     []uint64 // axes of the left operand of a dot
	config         string
}

// array is the type of a value; of a tuple, parts are its elements.
type array struct {
	element uint64 // PrimitiveType
	dims    []uint64
	parts   []array
}

// elementNames are the types that programs here have; others are shown by their number.
var elementNames = map[uint64]string{1: "pred", 2: "s8", 4: "s32", 5: "s64", 6: "u8", 8: "u32", 9: "u64", 10: "f16", 11: "f32", 12: "f64", 16: "bf16"}

func (a array) String() string {
	if len(a.parts) > 0 {
		return a.parts[0].String() // what is computed; the rest is statistics and scratch memory
	}
	name := elementNames[a.element]
	if name == "" {
		name = fmt.Sprintf("type%d", a.element)
	}
	dims := make([]string, len(a.dims))
	for i, d := range a.dims {
		dims[i] = strconv.FormatUint(d, 10)
	}
	return name + "[" + strings.Join(dims, ",") + "]"
}

func (a array) size() float64 {
	n := 1.0
	for _, d := range a.dims {
		n *= float64(d)
	}
	return n
}

// fields calls visit with each field of a message; number is the value of a varint field, data that of one with a length.
func fields(message []byte, visit func(field protowire.Number, number uint64, data []byte) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var number uint64
		var data []byte
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := visit(field, number, data); err != nil {
			return err
		}
	}
	return nil
}

// numbers appends a repeated integer, which comes packed or one by one.
func numbers(list []uint64, number uint64, data []byte) []uint64 {
	if data == nil {
		return append(list, number)
	}
	for len(data) > 0 {
		value, n := protowire.ConsumeVarint(data)
		if n < 0 {
			break
		}
		list, data = append(list, value), data[n:]
	}
	return list
}

func parseArray(message []byte) (a array, err error) {
	err = fields(message, func(field protowire.Number, number uint64, data []byte) error {
		switch field {
		case 2:
			a.element = number
		case 3:
			a.dims = numbers(a.dims, number, data)
		case 4:
			part, err := parseArray(data)
			a.parts = append(a.parts, part)
			return err
		}
		return nil
	})
	return a, err
}

func parseInstruction(message []byte) (i instruction, err error) {
	err = fields(message, func(field protowire.Number, number uint64, data []byte) (err error) {
		switch field {
		case 2:
			i.opcode = string(data)
		case 3:
			i.shape, err = parseArray(data)
		case 28:
			i.target = string(data)
		case 30:
			err = fields(data, func(field protowire.Number, number uint64, data []byte) error {
				if field == 1 {
					i.contracted = numbers(i.contracted, number, data)
				}
				return nil
			})
		case 35:
			i.id = number
		case 36:
			i.operands = numbers(i.operands, number, data)
		case 43:
			i.config = string(data)
		}
		return err
	})
	return i, err
}

// gemmConfig is what the configuration of a cuBLAS call says of its product, and that of a cuDNN attention call of its mask.
type gemmConfig struct {
	Gemm struct {
		Dims struct {
			Contracted []string `json:"lhs_contracting_dimensions"`
		} `json:"dot_dimension_numbers"`
	} `json:"gemm_backend_config"`
	Attention struct {
		Mask string `json:"mask_type"`
	} `json:"cudnn_fmha_backend_config"`
}

// flops counts what an instruction computes in matrix products: 2 for each multiplication and addition. Attention forms 2 products
// forward and 5 backward of [S, hd] or [S, S] matrices for each head, and skips half of them under a causal mask. Calls of package kernels are the
// product [B, M, N] of [B, M, K] and others, rows weighed by exponentials too, and attention of [B, S, H, hd] and others under such a mask.
func (i instruction) flops(operand func(n int) array) float64 {
	contracted := i.contracted
	result := i.shape
	if len(result.parts) > 0 {
		result = result.parts[0]
	}
	switch {
	case i.target == productTarget && len(result.dims) > 0:
		return 2 * operand(0).size() * float64(result.dims[len(result.dims)-1])
	case i.target == weighedRowsTarget && len(result.dims) == 2:
		return 2 * operand(0).size() * float64(result.dims[1])
	case i.target == attentionTarget && len(operand(0).dims) == 4:
		return 2 * operand(0).size() * float64(operand(0).dims[1])
	case i.target == attentionGradientTarget && len(operand(0).dims) == 4:
		return 5 * operand(0).size() * float64(operand(0).dims[1])
	}
	if i.opcode == "custom-call" {
		var config gemmConfig
		if json.Unmarshal([]byte(i.config), &config) != nil {
			return 0
		}
		if strings.HasPrefix(i.target, "__cudnn$fmha") && len(result.dims) == 4 {
			products := 2.0
			if strings.Contains(i.target, "Backward") {
				products = 5
			}
			if strings.Contains(config.Attention.Mask, "CAUSAL") {
				products /= 2
			}
			return 2 * products * result.size() * float64(result.dims[2])
		}
		for _, axis := range config.Gemm.Dims.Contracted {
			if n, err := strconv.ParseUint(axis, 10, 8); err == nil {
				contracted = append(contracted, n)
			}
		}
	}
	if len(contracted) == 0 {
		return 0
	}
	n, left := 2*result.size(), operand(0)
	for _, axis := range contracted {
		if axis < uint64(len(left.dims)) {
			n *= float64(left.dims[axis])
		}
	}
	return n
}
