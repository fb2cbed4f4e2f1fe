//! The integers and strings of MQTT, read by code that shares nothing with Dunlin's.

/// How long the packet at the front is, fixed header and all; `None` while that cannot be known.
pub(crate) fn packet_len(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut len = 0;
    for (at, byte) in bytes.iter().skip(1).take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some(2 + at + len));
        }
        if at == 3 {
            return Err(format!("a length of more than four bytes: {bytes:02x?}"));
        }
    }
    Ok(None)
}

/// The rest of a packet.
pub(crate) struct Body<'p>(pub(crate) &'p [u8]);

impl<'p> Body<'p> {
    pub(crate) fn take(&mut self, len: usize) -> Result<&'p [u8], String> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or("a packet ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, String> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn id(&mut self) -> Result<u16, String> {
        self.u16().and_then(|id| if id == 0 { Err("identifier 0".into()) } else { Ok(id) })
    }

    /// Binary data, or a string that is not looked at.
    pub(crate) fn binary(&mut self) -> Result<&'p [u8], String> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    pub(crate) fn string(&mut self) -> Result<String, String> {
        String::from_utf8(self.binary()?.to_vec()).map_err(|error| error.to_string())
    }

    pub(crate) fn varint(&mut self) -> Result<usize, String> {
        let mut value = 0;
        for at in 0..4 {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("an integer of more than four bytes".into())
    }
}
