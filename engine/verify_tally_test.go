package engine

import "testing"

// What the paper gives for the bytes 0 to 14 under the key of the bytes 0 to 15.
func TestTallyHashesAsThePaper(t *testing.T) {
	y := &tally{key: [2]uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908}}
	if is := y.sipHash(0x0706050403020100, []byte{8, 9, 10, 11, 12, 13, 14}); is != 0xa129ca6149be45e5 {
		t.Errorf("got %x", is)
	}
}

func BenchmarkTallyHash(b *testing.B) {
	y, row := newTally(), make([]byte, 40)
	for b.Loop() {
		y.hash(bucketIndex, row)
	}
}
