"""The frame names of ID3v2.2 and what they became in later versions."""

ID3_22 = {
    b"BUF": "RBUF", b"CNT": "PCNT", b"COM": "COMM", b"CRA": "AENC", b"EQU": "EQUA",
    b"ETC": "ETCO", b"GEO": "GEOB", b"IPL": "IPLS", b"MCI": "MCDI", b"MLL": "MLLT",
    b"PIC": "APIC", b"POP": "POPM", b"REV": "RVRB", b"RVA": "RVAD", b"SLT": "SYLT",
    b"STC": "SYTC", b"TAL": "TALB", b"TBP": "TBPM", b"TCM": "TCOM", b"TCO": "TCON",
    b"TCP": "TCMP", b"TCR": "TCOP", b"TDA": "TDAT", b"TDY": "TDLY", b"TEN": "TENC",
    b"TFT": "TFLT", b"TIM": "TIME", b"TKE": "TKEY", b"TLA": "TLAN", b"TLE": "TLEN",
    b"TMT": "TMED", b"TOA": "TOPE", b"TOF": "TOFN", b"TOL": "TOLY", b"TOR": "TORY",
    b"TOT": "TOAL", b"TP1": "TPE1", b"TP2": "TPE2", b"TP3": "TPE3", b"TP4": "TPE4",
    b"TPA": "TPOS", b"TPB": "TPUB", b"TRC": "TSRC", b"TRD": "TRDA", b"TRK": "TRCK",
    b"TS2": "TSO2", b"TSA": "TSOA", b"TSC": "TSOC", b"TSI": "TSIZ", b"TSP": "TSOP",
    b"TSS": "TSSE", b"TST": "TSOT", b"TT1": "TIT1", b"TT2": "TIT2", b"TT3": "TIT3",
    b"TXT": "TEXT", b"TXX": "TXXX", b"TYE": "TYER", b"UFI": "UFID", b"ULT": "USLT",
    b"WAF": "WOAF", b"WAR": "WOAR", b"WAS": "WOAS", b"WCM": "WCOM", b"WCP": "WCOP",
    b"WPB": "WPUB", b"WXX": "WXXX", b"GP1": "GRP1", b"MVN": "MVNM", b"MVI": "MVIN",
    b"PCS": "PCST", b"WFD": "WFED", b"TCT": "TCAT", b"TDS": "TDES", b"TID": "TGID",
    b"TKW": "TKWD", b"TDR": "TDRL",
}  # fmt: skip
"""LNK and CRM are left out: they hold frame names of three letters, or frames, inside."""
