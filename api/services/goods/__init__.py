"""商品配送: a catalogue with stock, orders from basket to doorstep, returns and refunds."""
